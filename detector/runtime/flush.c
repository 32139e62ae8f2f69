#include "runtime/flush.h"

#include <stdatomic.h>

#include "base/base.h"
#include "pages/pages.h"

static const uint64_t FIRST_NS = 2000000000, LAST_NS = 10000000000;
enum { PART = 16 }; /* of the run time */
static const uint64_t PAUSE_NS = 1000000;

static uint64_t began_ns;
static _Atomic uint64_t next_ns;
static _Atomic uint64_t told; /* what had happened by the last time */
static _Atomic int writer;    /* tid; 0: nobody writes */

void ftsan_flush_begin(void)
{
	began_ns = ftsan_sys_now_ns();
	atomic_store_explicit(&next_ns, began_ns + FIRST_NS, memory_order_relaxed);
	atomic_store_explicit(&told, 0, memory_order_relaxed);
	atomic_store_explicit(&writer, 0, memory_order_relaxed);
}

/* A sum that grows with whatever is worth telling. */
static uint64_t happened(void)
{
	struct ftsan_thread_sums sums;

	ftsan_thread_counts_sum(&sums);
	return sums.seen + sums.short_lived + ftsan_counted(operations_sampled) +
	       ftsan_counted(watch_armed) + ftsan_counted(rechecks) +
	       ftsan_counted(frames_checked) + ftsan_counted(buffers_published) +
	       ftsan_counted(reports) + ftsan_counted(workers);
}

static uint64_t pause_at(uint64_t now)
{
	uint64_t part = (now - began_ns) / PART;

	if (part < FIRST_NS)
		return FIRST_NS;
	return part < LAST_NS ? part : LAST_NS;
}

bool ftsan_flush_due(void)
{
	uint64_t now = ftsan_sys_now_ns();
	uint64_t next = atomic_load_explicit(&next_ns, memory_order_relaxed), sum;

	if (now < next ||
	    !atomic_compare_exchange_strong(&next_ns, &next, now + pause_at(now)))
		return false;
	sum = happened();
	return atomic_exchange_explicit(&told, sum, memory_order_relaxed) != sum;
}

bool ftsan_flush_enter(uint64_t wait_ns)
{
	uint64_t end = ftsan_sys_now_ns() + wait_ns;
	int self = ftsan_sys_gettid();

	for (;;) {
		int owner = 0;

		if (atomic_compare_exchange_strong(&writer, &owner, self))
			return true;
		if (owner == self || ftsan_sys_now_ns() >= end)
			return false;
		ftsan_sys_sleep(PAUSE_NS);
	}
}

void ftsan_flush_leave(void)
{
	int self = ftsan_sys_gettid();

	(void)atomic_compare_exchange_strong(&writer, &self, 0);
}
