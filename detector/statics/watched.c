#include "statics/watched.h"

#include "base/base.h"
#include "statics/store.h"
#include "words/words.h"

#define DATA_MAGIC UINT64_C(0x57a71c)
enum { DATA_MAGIC_SHIFT = 40 };
/* Who loads it in a loop, and is of no interest, traps so often and then no more. */
enum { HITS_MAX = 32 };

/* Written by the window's owner before the word is watched. */
static struct {
	_Atomic uint32_t
		generation; /* of the watch; 0: none. Hits of another one are late */
	_Atomic uint32_t hits;
	uint32_t last;
	_Atomic int event;
	struct static_watched at;
} watch = {.event = FTSAN_EVERYONE_NONE};

static bool aim(const struct static_store *store)
{
	struct ftsan_watchpoint part;
	struct ftsan_perf_target target;

	watch.last = watch.last % (UINT32_MAX - 1) + 1;
	ftsan_watch_part(&part, &store->access, watch.last);
	watch.at = (struct static_watched){.page = store->page,
					   .word = {.address = part.address,
						    .size = part.length,
						    .role = FTSAN_ROLE_READ,
						    .exact = true}};
	target = (struct ftsan_perf_target){
		.address = part.address,
		.length = part.length,
		.reads = true,
		.everyone = true,
		.data = DATA_MAGIC << DATA_MAGIC_SHIFT | watch.last,
	};
	atomic_store_explicit(&watch.hits, 0, memory_order_relaxed);
	atomic_store_explicit(&watch.generation, watch.last, memory_order_release);
	return ftsan_everyone_aim(watch.event, &target) == 0;
}

static bool take(const struct static_store *store)
{
	watch.event = ftsan_everyone_take();
	if (watch.event == FTSAN_EVERYONE_NONE)
		return false;
	if (aim(store))
		return true;
	static_watch_end();
	return false;
}

/* Of each module, how many words have been held up and never watched. */
static void note_sight(const struct static_store *store, bool watched)
{
	enum static_sight before = store->word->sight;

	if (before == STATIC_SIGHT_LOADS)
		return;
	store->word->sight = watched ? STATIC_SIGHT_LOADS : STATIC_SIGHT_STORES;
	if (before == STATIC_SIGHT_NONE && !watched)
		atomic_fetch_add_explicit(&store->module->unread, 1,
					  memory_order_relaxed);
	if (before == STATIC_SIGHT_STORES && watched)
		atomic_fetch_sub_explicit(&store->module->unread, 1,
					  memory_order_relaxed);
}

void static_watch_begin(const struct static_store *store)
{
	bool watched;

	if (!atomic_load_explicit(&store->page->has_locks, memory_order_relaxed))
		return;
	watched = take(store);
	note_sight(store, watched);
	if (watched)
		ftsan_count(statics_watched);
}

void static_watch_end(void)
{
	if (watch.event == FTSAN_EVERYONE_NONE)
		return;
	atomic_store_explicit(&watch.generation, 0, memory_order_release);
	ftsan_everyone_rest(watch.event);
	ftsan_everyone_give(watch.event);
	watch.event = FTSAN_EVERYONE_NONE;
}

void static_watch_fork_child(void)
{
	atomic_store_explicit(&watch.generation, 0, memory_order_relaxed);
	watch.event = FTSAN_EVERYONE_NONE;
}

bool static_watch_is_hit(const siginfo_t *info, uint32_t *generation)
{
	struct ftsan_perf_signal signal;

	if (!ftsan_perf_signal_read(info, &signal) ||
	    signal.data >> DATA_MAGIC_SHIFT != DATA_MAGIC)
		return false;
	*generation = signal.async ? 0 : (uint32_t)signal.data;
	return true;
}

static bool is_current(uint32_t generation)
{
	return generation != 0 &&
	       atomic_load_explicit(&watch.generation, memory_order_acquire) ==
		       generation;
}

/* The window may end at any moment, and the next one watch another word. */
bool static_watch_tell(uint32_t generation, struct static_watched *out)
{
	int event;

	if (!is_current(generation))
		return false;
	*out = watch.at;
	event = atomic_load_explicit(&watch.event, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (!is_current(generation))
		return false;
	if (atomic_fetch_add_explicit(&watch.hits, 1, memory_order_relaxed) < HITS_MAX)
		return true;
	/* At worst it is the sampler's by now, which misses who comes to its word. */
	ftsan_everyone_rest(event);
	return false;
}
