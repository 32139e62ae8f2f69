/* Which stores are worth a window, and how long a one. */
#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "stacks/stacks.h"
#include "statics/config.h"
#include "statics/store.h"
#include "threads/threads.h"

static const uint64_t SHARED_NS = 2000u * 1000 * 1000;

/* Threads that hold the GIL take turns: holding one up shows nothing and stops all. */
bool static_takes_turns(const struct static_store *store)
{
	return !store->detached &&
	       ftsan_pygil_state(static_config.host->abi, false) == FTSAN_PYGIL_ON;
}

/* Two threads have been storing to the module's statics lately; without that, windows
 * are spent before there is anybody to come. */
static bool is_shared(const struct static_store *store)
{
	uint64_t shared =
		atomic_load_explicit(&store->module->shared_ns, memory_order_relaxed);

	return shared != 0 && ftsan_sys_now_ns() - shared < SHARED_NS;
}

/*
 * A pointer that is made when first needed is stored once: nobody has been at the module
 * before, and there is one chance to see whether another thread makes it, too.
 */
bool static_is_first_need(const struct static_store *store)
{
	return store->old == 0 && static_stores_pointer(store) &&
	       !static_is_locked(store) &&
	       atomic_load_explicit(&store->word->stores, memory_order_relaxed) == 0 &&
	       static_threads_lately();
}

bool static_window_worth(const struct static_store *store)
{
	const struct static_word *word = store->word;

	if (word == NULL || store->known || store->reason != STATIC_JUDGED ||
	    store->access.atomic || store->repeated || word->facts.atomic)
		return false;
	/* Always under the same lock, several times. */
	if (word->facts.common_lock && word->facts.judged > 2)
		return false;
	return (is_shared(store) || static_is_first_need(store)) &&
	       !static_takes_turns(store);
}

/* --- the budget --------------------------------------------------------------------- */

/* A word gets another window after this. */
static const uint64_t REFILL_NS = 50u * 1000 * 1000;
/* A window that is the only one is so many times as long. */
enum { FIRST_NEED = 4 };

/* The later ones are longer: on a busy machine the other thread may not run at all. */
uint64_t static_window_length(const struct static_store *store)
{
	uint32_t windows = store->word->windows;

	if (windows == 0 && static_is_first_need(store))
		return FIRST_NEED * static_config.window_ns;
	return ftsan_rule_window_length(static_config.window_ns, windows,
					static_config.windows);
}

static void refill(struct static_word *word)
{
	uint64_t now = ftsan_sys_now_ns();

	if (now - word->refilled_ns < REFILL_NS)
		return;
	word->refilled_ns = now;
	if (word->windows >= static_config.windows + word->refills)
		word->refills++;
}

bool static_window_may_open(const struct static_store *store,
			    const struct ftsan_site *site, uint64_t spent_ns)
{
	struct ftsan_window_question question;

	refill(store->word);
	question = (struct ftsan_window_question){
		.threads = ftsan_threads_alive(),
		.site_proven = store->word->proven,
		.site_windows = site == NULL ? 0
					     : atomic_load_explicit(&site->windows,
								    memory_order_relaxed),
		.site_limit = 8 * static_config.windows +
			      (uint32_t)((ftsan_sys_now_ns() - static_config.began_ns) /
					 100000000u),
		.object_windows = store->word->windows,
		.object_limit = static_config.windows + store->word->refills,
		.spent_ns = spent_ns,
		.elapsed_ns = ftsan_sys_now_ns() - static_config.began_ns,
		.budget_percent = static_config.budget_percent,
		.length_ns = static_window_length(store),
	};

	if (site != NULL && atomic_load_explicit(&site->proven, memory_order_relaxed))
		question.site_proven = true;
	return ftsan_rule_open_window(&question);
}
