/* Which stores are worth a window. */
#include "base/base.h"
#include "findings/findings.h"
#include "statics/config.h"
#include "statics/store.h"
#include "threads/threads.h"

static const uint64_t SHARED_NS = 2000u * 1000 * 1000;

/* Threads that hold the GIL take turns: holding one up shows nothing and stops all. */
static bool takes_turns(const struct static_store *store)
{
	bool gil = !static_config.free_threaded ||
		   (ftsan_gil_requests() > 0 && !static_config.host->gil_kept_off);

	return gil && !store->detached;
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
	return (is_shared(store) || static_is_first_need(store)) && !takes_turns(store);
}
