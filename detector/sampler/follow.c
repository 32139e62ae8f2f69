#include "sampler/follow.h"

#include "base/base.h"
#include "decode/decode.h"
#include "sampler/arm.h"
#include "sampler/hold.h"
#include "sampler/other.h"
#include "sampler/own.h"
#include "words/words.h"

/* <asm-generic/siginfo.h>: a single step. */
enum { CODE_TRACE = 2 };

/* Does the instruction behind it come next? Of a call by a table, another one does. */
static bool goes_straight(const struct ftsan_sample_module *module,
			  const struct ftsan_sample_site *site)
{
	uintptr_t at = ftsan_site_address(module, site);
	unsigned char code[FTSAN_INSN_MAX] = {0};
	struct ftsan_flow flow;

	(void)ftsan_text_read(code, at, site->length);
	return ftsan_flow_decode(&flow, at, code, site->length) && flow.goes_on &&
	       !flow.branches;
}

/* has_left() - it is farther from the word than it was the last time. */
static bool has_left(const struct ftsan_follow *follow,
		     const struct ftsan_sample_site *site,
		     const struct ftsan_hold_near *near)
{
	return follow->site == site && follow->hold == near->hold &&
	       follow->generation == near->generation && follow->bytes <= near->bytes;
}

bool ftsan_follow(struct ftsan_thread *self, const struct ftsan_access *access,
		  const struct ftsan_sampled_side *side,
		  struct ftsan_sample_module *module, struct ftsan_sample_site *site,
		  void *ucontext)
{
	struct ftsan_follow *follow = &ftsan_sampler_of(self)->follow;
	struct ftsan_hold_near near;

	if (ftsan_everyone_there() || !ftsan_site_is_indexed(site) ||
	    !ftsan_hold_near(self, access, side, &near))
		return false;
	/* The next time that it is armed the loop may begin anew. */
	if (has_left(follow, site, &near) || !goes_straight(module, site)) {
		follow->site = NULL;
		return false;
	}
	*follow = (struct ftsan_follow){.module = module,
					.stepped = site,
					.site = site,
					.hold = near.hold,
					.bytes = near.bytes,
					.generation = near.generation};
	atomic_fetch_add_explicit(&near.hold->followed, 1, memory_order_relaxed);
	ftsan_count(sampler_followed);
	ftsan_side_note_varies(side, access, near.hold->around, ucontext);
	ftsan_context_begin_step(ucontext, &follow->mask);
	return true;
}

bool ftsan_follow_stepped(const siginfo_t *info, void *ucontext)
{
	struct ftsan_thread *self =
		info->si_code == CODE_TRACE ? ftsan_thread_self() : NULL;
	struct ftsan_follow *follow =
		self == NULL ? NULL : &ftsan_sampler_of(self)->follow;
	struct ftsan_sample_site *site = follow == NULL ? NULL : follow->stepped;

	if (site == NULL)
		return false;
	follow->stepped = NULL;
	/* The instruction has failed, and the program has gone on elsewhere. */
	if (ftsan_context_ip(ucontext) !=
	    ftsan_site_address(follow->module, site) + site->length)
		return false;
	ftsan_context_end_step(ucontext, &follow->mask);
	(void)ftsan_arm_site(follow->module, site);
	return true;
}
