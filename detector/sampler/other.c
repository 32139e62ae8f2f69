#include "sampler/other.h"

#include <string.h>
#include <ucontext.h>

#include "base/base.h"
#include "decode/decode.h"
#include "rules/rules.h"
#include "sampler/modules.h"
#include "sampler/words.h"
#include "stacks/stacks.h"

/* @number: the processor's own; 0 where it is none. */
static uintptr_t value_of(const void *ucontext, uint8_t number)
{
	int index = ftsan_context_index(number);

	return index >= 0 ? ftsan_context_register(ucontext, index) : 0;
}

uintptr_t ftsan_site_operand(const struct ftsan_sample_module *module,
			     const struct ftsan_sample_site *site, const void *ucontext)
{
	uintptr_t sum = (uintptr_t)(intptr_t)site->displacement;

	if (site->base == FTSAN_SHAPE_RIP)
		return module->bias + sum;
	return sum + value_of(ucontext, site->base) +
	       value_of(ucontext, site->index) * site->scale;
}

void ftsan_site_side(struct ftsan_sampled_side *side,
		     const struct ftsan_sample_module *module,
		     const struct ftsan_sample_site *site, uintptr_t address)
{
	*side = (struct ftsan_sampled_side){
		.reads = (site->traits & FTSAN_SITE_READS) != 0,
		.writes = (site->traits & FTSAN_SITE_WRITES) != 0,
		.form = ftsan_site_form(site),
		.unaligned = site->size > 0 && address % site->size != 0,
		.folds = module->traits.folds,
		.lock_free = ftsan_module_lock_free(module),
		.interpreter = module->interpreter,
	};
	side->updates = side->writes && side->reads;
}

/* register_of() - what a site loads into, or stores from. */
static uint8_t register_of(const struct ftsan_sample_module *module,
			   const struct ftsan_sample_site *site)
{
	unsigned char code[FTSAN_INSN_MAX] = {0};
	struct ftsan_shape shape;

	(void)ftsan_text_read(code, ftsan_site_address(module, site), site->length);
	return ftsan_shape_decode(&shape, code, site->length) ? shape.other
							      : FTSAN_SHAPE_NO_REGISTER;
}

static bool same_operand(const struct ftsan_sample_site *a,
			 const struct ftsan_sample_site *b)
{
	return a->displacement == b->displacement && a->base == b->base &&
	       a->index == b->index && a->scale == b->scale && a->size == b->size;
}

/*
 * stores_update() - does the store at @pc store what the same code has loaded a few
 * instructions earlier from the same word, by way of the same register?
 */
static bool stores_update(uintptr_t pc)
{
	enum { BYTES = 48 };
	const struct ftsan_sample_module *module = ftsan_sample_module_of(pc);
	const struct ftsan_sample_site *site =
		module == NULL ? NULL : ftsan_sample_site_at(module, pc);
	uint8_t from;

	if (site == NULL)
		return false;
	from = register_of(module, site);
	if (from == FTSAN_SHAPE_NO_REGISTER)
		return false;
	for (const struct ftsan_sample_site *at = site;
	     at > module->sites && site->offset - (at - 1)->offset <= BYTES; at--)
		if (((at - 1)->traits & FTSAN_SITE_READS) != 0 &&
		    same_operand(at - 1, site) && register_of(module, at - 1) == from)
			return true;
	return false;
}

void ftsan_side_note_update(struct ftsan_sampled_side *side, uintptr_t pc)
{
	if (side->writes && !side->updates)
		side->updates = stores_update(pc);
}

/* copy_code() - from the site on. */
static size_t copy_code(unsigned char *code, const struct ftsan_sample_module *module,
			const struct ftsan_sample_site *site)
{
	uintptr_t begin = ftsan_site_address(module, site);
	size_t room = module->text_end - begin;

	if (room > FTSAN_NULL_TEST_BYTES)
		room = FTSAN_NULL_TEST_BYTES;
	return ftsan_text_read(code, begin, room);
}

void ftsan_side_note_test(struct ftsan_sampled_side *side, uintptr_t pc)
{
	const struct ftsan_sample_module *module = ftsan_sample_module_of(pc);
	const struct ftsan_sample_site *site =
		module == NULL ? NULL : ftsan_sample_site_at(module, pc);
	unsigned char code[FTSAN_NULL_TEST_BYTES];

	if (site == NULL || side->writes || site->size != 8)
		return;
	side->tests_null = ftsan_decode_tests_null(code, copy_code(code, module, site));
}

void ftsan_side_note_mask(struct ftsan_sampled_side *side, uintptr_t pc,
			  const void *ucontext)
{
	const struct ftsan_sample_module *module = ftsan_sample_module_of(pc);
	const struct ftsan_sample_site *site =
		module == NULL ? NULL : ftsan_sample_site_at(module, pc);
	unsigned char code[FTSAN_NULL_TEST_BYTES];

	if (site == NULL || side->writes || site->size != 8)
		return;
	side->ignores = ~ftsan_load_mask(code, copy_code(code, module, site), ucontext);
}

void ftsan_side_note_store(struct ftsan_sampled_side *side,
			   const struct ftsan_access *access, uint64_t there,
			   uint8_t size, const void *ucontext)
{
	const uint64_t nothing = 0;
	struct ftsan_insn insn;

	if (!side->writes || access->size != size || size > sizeof(there))
		return;
	ftsan_decode_fault(&insn, ucontext, access->address, true);
	if (insn.plan != FTSAN_PLAN_DIRECT || insn.access.size != size)
		return;
	side->same = memcmp(insn.value, &there, size) == 0;
	memcpy(&side->changes, insn.value, size);
	side->changes ^= there;
	side->changes_known = true;
	side->stores_one = memcmp(insn.value, &nothing, size) != 0;
}

void ftsan_side_note_varies(const struct ftsan_sampled_side *side,
			    const struct ftsan_access *access, uintptr_t begin,
			    const void *ucontext)
{
	struct ftsan_sampled_side stored = *side;
	uintptr_t pc = ftsan_context_ip(ucontext);
	uint64_t there = 0;

	if (!side->writes || side->interpreter || access->size > sizeof(there) ||
	    ftsan_words_varies(pc, begin) ||
	    ftsan_safe_read(&there, (const void *)access->address, access->size) != 0 ||
	    there == 0)
		return;
	ftsan_side_note_store(&stored, access, there, (uint8_t)access->size, ucontext);
	if (stored.changes_known && stored.changes != 0 && stored.changes != there)
		ftsan_words_note_varies(pc, begin);
}

void ftsan_side_note_wide(struct ftsan_sampled_side *side,
			  const struct ftsan_access *access, const void *there,
			  const void *ucontext)
{
	struct ftsan_insn insn;

	if (!side->writes)
		return;
	ftsan_decode_fault(&insn, ucontext, access->address, true);
	side->same = insn.plan == FTSAN_PLAN_DIRECT && insn.access.size == access->size &&
		     memcmp(insn.value, there, access->size) == 0;
}

static enum ftsan_role role_of(bool writes)
{
	return writes ? FTSAN_ROLE_WRITE : FTSAN_ROLE_READ;
}

/* learn_by_site() - the instruction that ends where the thread is, if it is a site. */
static bool learn_by_site(struct ftsan_hold *hold, uintptr_t pc, const void *ucontext)
{
	const struct ftsan_sample_module *module = ftsan_sample_module_of(pc - 1);
	const struct ftsan_sample_site *site =
		module == NULL ? NULL : ftsan_sample_site_before(module, pc);

	if (site == NULL || ftsan_site_address(module, site) + site->length != pc)
		return false;
	hold->other.site = ftsan_site_address(module, site);
	/* Its registers may be others by now; that it covers the word is certain. */
	ftsan_site_side(&hold->other.side, module, site, 0);
	hold->other.side.varies = ftsan_words_varies(hold->other.site, hold->around);
	ftsan_side_note_update(&hold->other.side, ftsan_site_address(module, site));
	ftsan_side_note_test(&hold->other.side, ftsan_site_address(module, site));
	ftsan_side_note_mask(&hold->other.side, ftsan_site_address(module, site),
			     ucontext);
	hold->other.access = (struct ftsan_access){
		.address = hold->word,
		.size = site->size < hold->length ? site->size : hold->length,
		.role = role_of(hold->other.side.writes),
		.exact = true};
	return true;
}

static bool is_libc(const struct ftsan_module *module)
{
	const char *slash = module == NULL ? NULL : strrchr(module->path, '/');

	return slash != NULL &&
	       (strncmp(slash, "/libc.so", 8) == 0 || strncmp(slash, "/libc-2", 7) == 0);
}

void ftsan_hold_side_elsewhere(struct ftsan_sampled_side *side, uintptr_t pc)
{
	const struct ftsan_sample_module *sampled = ftsan_sample_module_of(pc - 1);

	side->libc = is_libc(ftsan_module_of(pc - 1));
	/* What was never swept may have anything in it. */
	side->lock_free = !side->libc;
	side->folds = true;
	if (sampled != NULL) {
		side->lock_free = ftsan_module_lock_free(sampled);
		side->folds = sampled->traits.folds;
		side->interpreter = sampled->interpreter;
	}
}

static enum ftsan_access_form form_of(const struct ftsan_watch_insn *insn)
{
	if (insn->form != FTSAN_FORM_PLAIN)
		return FTSAN_ACCESS_UNKNOWN;
	if (insn->size > 8)
		return FTSAN_ACCESS_WIDE;
	/* What is no site of a swept module: an operand on the stack, a string. */
	return insn->reads && insn->writes ? FTSAN_ACCESS_FOLDED : FTSAN_ACCESS_MOVE;
}

bool ftsan_other_learn(struct ftsan_hold *hold, const void *ucontext)
{
	uintptr_t pc = ftsan_context_ip(ucontext);
	struct ftsan_sampled_side *side = &hold->other.side;
	struct ftsan_watch_insn insn;

	hold->other.site = 0;
	if (learn_by_site(hold, pc, ucontext))
		return true;
	ftsan_decode_before(&insn, ucontext, hold->word, hold->length);
	if (!ftsan_rule_watch_proves(&insn))
		return false;
	*side = (struct ftsan_sampled_side){.form = form_of(&insn),
					    .reads = insn.reads,
					    .writes = insn.writes,
					    .locked = insn.locked};
	/* A held load is watched for stores only. */
	if (!hold->held.side.writes)
		side->writes = true;
	ftsan_hold_side_elsewhere(side, pc);
	hold->other.access = (struct ftsan_access){.address = hold->word,
						   .size = hold->length,
						   .role = role_of(side->writes),
						   .atomic = insn.locked,
						   .exact = insn.size != 0};
	return true;
}

void ftsan_other_learn_site(struct ftsan_hold *hold, const struct ftsan_access *access,
			    const struct ftsan_sampled_side *side, const void *ucontext)
{
	uintptr_t pc = ftsan_context_ip(ucontext);

	hold->other.stored = false;
	hold->other.site = pc;
	hold->other.access = *access;
	hold->other.side = *side;
	hold->other.side.varies = ftsan_words_varies(pc, hold->around);
	ftsan_side_note_update(&hold->other.side, pc);
	ftsan_side_note_test(&hold->other.side, pc);
	ftsan_side_note_mask(&hold->other.side, pc, ucontext);
	ftsan_side_note_store(&hold->other.side, access, hold->before, hold->length,
			      ucontext);
}
