/* What is asked of the rules about a store that was held up, and who came. */
#include "statics/store.h"

/* The first word of a call knows of the others by the call before. */
static uint32_t call_words(const struct static_word *word)
{
	if (!word->together)
		return 1;
	return word->facts.call_words > 2 ? word->facts.call_words : 2;
}

static bool is_locked(const struct static_store *store)
{
	for (unsigned i = 0; i < store->n_held; i++)
		if (store->held[i].inside && store->held[i].recent)
			return true;
	return false;
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
		.pointer = facts->new_pointer && !facts->new_text,
		.call_words = call_words(held->word),
		.followed = held->word->together && held->word->followed,
		.locked = is_locked(held),
		.varies = facts->changed > 1,
		.read = true,
	};

	return ftsan_rule_static_pair(&question);
}
