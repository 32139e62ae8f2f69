/* What is asked of the rules about a store that was held up, and who came. */
#include "memory/memory.h"
#include "statics/config.h"
#include "statics/store.h"

/*
 * Include/object.h: free-threaded, ob_ref_local is the int at 12, and all ones where
 * references aren't counted; else the count is the lower half of the first word, and
 * large.
 */
static bool is_counted(uint64_t value)
{
	uint64_t word;

	if (!ftsan_memory_is_object(value) ||
	    !ftsan_safe_u64(value + (static_config.free_threaded ? 8 : 0), &word))
		return false;
	return static_config.free_threaded ? word >> 32 != 0xffffffff
					   : (word & 0xffffffff) < 0x40000000;
}

/* Does it store the address of memory? Numbers may look like one. */
static bool points(const struct static_store *store)
{
	uint64_t unused;

	return static_stores_pointer(store) && ftsan_safe_u64(store->new, &unused);
}

/* The first word of a call knows of the others by the call before. */
static uint32_t call_words(const struct static_word *word)
{
	if (!word->of_one)
		return 1;
	return word->facts.call_words > 2 ? word->facts.call_words : 2;
}

bool static_is_locked(const struct static_store *store)
{
	for (unsigned i = 0; i < store->n_held; i++)
		if (store->held[i].inside && store->held[i].recent)
			return true;
	return false;
}

/* Code that asks for a pointer, and takes a lock if there is none. */
static bool tests_null(const struct static_store *met)
{
	unsigned char code[FTSAN_NULL_TEST_BYTES];

	return met->access.role != FTSAN_ROLE_WRITE && met->access.size == 8 &&
	       !met->done &&
	       ftsan_decode_tests_null(code,
				       ftsan_text_read(code, met->pc, sizeof(code)));
}

struct ftsan_static_pair_verdict static_pair_verdict(const struct static_store *held,
						     const struct static_store *met)
{
	const struct ftsan_static_facts *facts = &held->word->facts;
	struct ftsan_static_pair_question question = {
		.held = held->access,
		.met = met->access,
		.held_rmw = held->rmw,
		.met_rmw = met->rmw,
		.folds = held->module->folds,
		.lock_free = atomic_load_explicit(&held->module->has_atomics,
						  memory_order_relaxed),
		.atomic_word = facts->atomic,
		.lock_functions = met->reason == STATIC_LOCK_FUNCTION ||
				  met->reason == STATIC_GUARDED,
		.interpreter = met->reason == STATIC_FOREIGN &&
			       met->access.role == FTSAN_ROLE_WRITE,
		.header = met->reason == STATIC_IN_HEADER,
		.has_new = held->has_new,
		.met_has_new = met->has_new,
		.old = held->old,
		.new = held->new,
		.met_new = met->new,
		.pointer = points(held),
		.counted = points(held) && is_counted(held->new),
		.reference = held->access.size == 8 && is_counted(held->old),
		.call_words = call_words(held->word),
		.followed = held->word->of_one &&static_word_followed(held->word),
		.locked = static_is_locked(held),
		.varies = facts->changed > 1,
		.met_tests_null = tests_null(met),
	};

	return ftsan_rule_static_pair(&question);
}
