#include "sampler/active.h"

#include <stdatomic.h>

enum { THREAD_SHIFT = 48, RECENT_MS = 200, MS_NS = 1000000 };

/* The last two threads: index + 1 << 48 | time in ms. The first is the later one. */
static _Atomic uint64_t last, before;

static _Atomic int32_t threads = 1;

void ftsan_active_count(int32_t more)
{
	atomic_fetch_add(&threads, more);
}

uint32_t ftsan_active_threads(void)
{
	return (uint32_t)atomic_load_explicit(&threads, memory_order_relaxed);
}

static uint64_t entry_of(uint32_t thread, uint64_t now_ns)
{
	return (uint64_t)(thread + 1) << THREAD_SHIFT | now_ns / MS_NS;
}

static uint32_t thread_in(uint64_t entry)
{
	return (uint32_t)(entry >> THREAD_SHIFT);
}

void ftsan_active_note(uint32_t thread, uint64_t now_ns)
{
	uint64_t seen = atomic_load_explicit(&last, memory_order_relaxed);

	if (thread_in(seen) != thread + 1)
		atomic_store_explicit(&before, seen, memory_order_relaxed);
	atomic_store_explicit(&last, entry_of(thread, now_ns), memory_order_relaxed);
}

static bool is_recent(uint64_t entry, uint32_t thread, uint64_t now_ns)
{
	uint64_t ms = entry & ((UINT64_C(1) << THREAD_SHIFT) - 1);

	return entry != 0 && thread_in(entry) != thread + 1 &&
	       now_ns / MS_NS < ms + RECENT_MS;
}

bool ftsan_active_others(uint32_t thread, uint64_t now_ns)
{
	return is_recent(atomic_load_explicit(&last, memory_order_relaxed), thread,
			 now_ns) ||
	       is_recent(atomic_load_explicit(&before, memory_order_relaxed), thread,
			 now_ns);
}

void ftsan_active_reset(void)
{
	atomic_store(&last, 0);
	atomic_store(&before, 0);
	atomic_store(&threads, 1);
}
