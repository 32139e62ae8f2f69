#include "sampler/sampler.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "budget/budget.h"
#include "decode/decode.h"
#include "sampler/active.h"
#include "sampler/arm.h"
#include "sampler/budget.h"
#include "sampler/busy.h"
#include "sampler/cache.h"
#include "sampler/choose.h"
#include "sampler/finding.h"
#include "sampler/focus.h"
#include "sampler/follow.h"
#include "sampler/hit.h"
#include "sampler/hold.h"
#include "sampler/modules.h"
#include "sampler/onset.h"
#include "sampler/own.h"
#include "sampler/ran_sum.h"
#include "sampler/spare.h"
#include "sampler/words.h"
#include "threads/threads.h"
#include "words/words.h"

/* <asm-generic/siginfo.h>: int3. */
enum { CODE_KERNEL = 0x80 };

static const char *inactive_reason = "off";
static _Atomic bool active;
static bool attached;
enum { FOCUS_LONGER = 5 };
enum { MANY = 8 }; /* threads, in a process that was attached to: nobody counted */

void ftsan_sampler_names(bool (*name_field)(const char *type, uintptr_t object,
					    uint64_t offset, struct ftsan_object *out))
{
	ftsan_sample_finding_names(name_field);
}

bool ftsan_sampler_active(void)
{
	return atomic_load_explicit(&active, memory_order_acquire);
}

int ftsan_sampler_init(const struct ftsan_options *options,
		       const struct ftsan_sampler_host *host)
{
	struct ftsan_onset onset = {.choice = options->modules,
				    .iterate = host->iterate,
				    .interpreter = host->interpreter,
				    .attached = host->attached};

	attached = host->attached;
	ftsan_busy_init();
	ftsan_cache_init(host->cache);
	ftsan_onset_init(&onset);
	ftsan_focus_init(options->focus);
	ftsan_hit_init(options->sampler_delay * (ftsan_focus_on() ? FOCUS_LONGER : 1),
		       host->code_type);
	if (!ftsan_decode_available())
		inactive_reason = "no decoder";
	else if (ftsan_sample_asks_interpreter(options->modules) &&
		 !ftsan_spare_find(host->called, FTSAN_ARRAY_LEN(host->called)))
		/* A handler of ours would meet a trap of ours in there. */
		inactive_reason = "modules=cpython: what ftsan's handlers call of this "
				  "interpreter can't be followed";
	else if (!ftsan_words_reset())
		inactive_reason = "no memory";
	else
		inactive_reason = NULL;
	if (inactive_reason != NULL)
		return -ENOTSUP;
	ftsan_text_patched_by(ftsan_sample_restore);
	ftsan_sample_finding_init(strcmp(options->grade, "low") == 0);
	ftsan_budget_init(options->sampler_rate, options->sampler_budget,
			  ftsan_sample_asks_interpreter(options->modules));
	ftsan_active_reset();
	if (attached)
		ftsan_active_count(MANY - 1);
	atomic_store_explicit(&active, true, memory_order_release);
	return 0;
}

const char *ftsan_sampler_name(void)
{
	if (inactive_reason != NULL)
		return inactive_reason;
	if (ftsan_everyone_error() == 0)
		return "one watchpoint for all threads";
	if (attached)
		return "windows by sites: threads that were there before can't be given "
		       "a watchpoint, so both threads have to come to instructions that "
		       "are sampled; of other stores only a changed value is seen";
	/* The kernel's own refusal is EACCES, that of a container's filter another. */
	return ftsan_everyone_error() == -EACCES
		       ? "windows by sites: both threads have to come to instructions "
			 "that are sampled, and of other stores only a changed value is "
			 "seen, because the kernel refuses perf events "
			 "(sysctl kernel.perf_event_paranoid=2 gives them)"
		       : "windows by sites: both threads have to come to instructions "
			 "that are sampled, and of other stores only a changed value is "
			 "seen, because perf events are refused (in a container, "
			 "--cap-add PERFMON gives them)";
}

void ftsan_sampler_modules_changed(void)
{
	if (ftsan_sampler_active())
		ftsan_onset_modules_changed();
}

void ftsan_sampler_unload_begin(void)
{
	ftsan_onset_unload_begin();
}

void ftsan_sampler_unload_end(bool (*is_loaded)(uintptr_t address))
{
	ftsan_onset_unload_end(is_loaded);
}

/* --- threads -------------------------------------------------------------------------
 */

bool ftsan_sampler_thread_coming(uintptr_t routine)
{
	const struct ftsan_module *module;

	if (!ftsan_sampler_active())
		return false;
	module = ftsan_module_of(routine);
	if (module != NULL && ftsan_sample_is_runtime(module->path))
		return false;
	ftsan_active_count(1);
	ftsan_onset_thread(module);
	return true;
}

void ftsan_sampler_thread_failed(bool counted)
{
	if (counted)
		ftsan_active_count(-1);
}

void ftsan_sampler_thread_begin(struct ftsan_thread *thread, bool counted,
				uintptr_t stack_begin, uintptr_t stack_end)
{
	ftsan_sampler_of(thread)->counted = counted;
	ftsan_sampler_of(thread)->follow = (struct ftsan_follow){0};
	if (counted) {
		ftsan_active_note(thread->index, ftsan_sys_now_ns());
		ftsan_effort_new_thread();
	}
	atomic_store_explicit(&ftsan_sampler_of(thread)->stack_begin, stack_begin,
			      memory_order_relaxed);
	atomic_store_explicit(&ftsan_sampler_of(thread)->stack_end, stack_end,
			      memory_order_release);
}

void ftsan_sampler_thread_end(struct ftsan_thread *thread)
{
	if (ftsan_sampler_of(thread)->counted)
		ftsan_active_count(-1);
	ftsan_sampler_of(thread)->counted = false;
	atomic_store_explicit(&ftsan_sampler_of(thread)->stack_end, 0,
			      memory_order_relaxed);
}

/* --- life ----------------------------------------------------------------------------
 */

bool ftsan_sampler_trap(const siginfo_t *info, void *ucontext)
{
	if (info->si_code == CODE_KERNEL)
		return ftsan_hit_int3(ucontext, ftsan_sampler_active());
	return ftsan_follow_stepped(info, ucontext) || ftsan_hold_trap(info, ucontext);
}

bool ftsan_sampler_busy(const struct ftsan_thread *thread)
{
	return ftsan_sampler_of(thread)->follow.stepped != NULL;
}

void ftsan_sampler_tick(void)
{
	if (!ftsan_sampler_active())
		return;
	if (ftsan_onset_tick(ftsan_sys_now_ns()))
		ftsan_arm_turns(ftsan_budget_turns());
}

void ftsan_sampler_halt(bool halt)
{
	ftsan_onset_halt(halt, ftsan_sampler_active());
}

void ftsan_sampler_fork_prepare(void)
{
	ftsan_arm_fork_prepare();
}

void ftsan_sampler_fork_parent(void)
{
	ftsan_arm_fork_done();
}

void ftsan_sampler_fork_child(void)
{
	ftsan_hold_fork_child();
	ftsan_arm_fork_child();
	ftsan_onset_fork_child();
	ftsan_ran_forget();
	ftsan_active_reset();
}

/* --- for the log --------------------------------------------------------------------
 */

void ftsan_sampler_each_module(ftsan_sampler_visit visit, void *to)
{
	struct ftsan_ran_sum sum;

	/* What a program imports last is most often its own. */
	for (unsigned i = ftsan_sample_modules(); i-- > 0;) {
		const struct ftsan_sample_module *module = ftsan_sample_module_at(i);

		if (module == NULL || module->n_sites == 0)
			continue;
		ftsan_ran_sum(module, &sum);
		visit(to, &(struct ftsan_sampler_module){.path = module->module->path,
							 .functions = sum.functions,
							 .seen = sum.seen,
							 .shared = sum.shared});
	}
}
