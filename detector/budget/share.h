/*
 * What something has cost so far, and whether that is its share of the processor's time,
 * by the clock of effort.h.
 * Prices are estimates of the caller's: nothing is timed.
 *
 * Context: ftsan_share_begin() at start, at an attach and in the child of a fork, while
 * nobody spends; the others any thread, async-signal-safe.
 */
#ifndef FTSAN_SHARE_H
#define FTSAN_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct ftsan_share - an account
 * @spent_ns:     since it began
 * @began_cpu_ns: that clock by then
 */
struct ftsan_share {
	_Atomic uint64_t spent_ns;
	uint64_t began_cpu_ns;
};

void ftsan_share_begin(struct ftsan_share *share);

static inline void ftsan_share_spend(struct ftsan_share *share, uint64_t ns)
{
	atomic_fetch_add_explicit(&share->spent_ns, ns, memory_order_relaxed);
}

/* Gives back up to @most_ns of it. */
void ftsan_share_forgive(struct ftsan_share *share, uint64_t most_ns);

/* ftsan_rule_spent() of it. May be a system call. */
bool ftsan_share_is_spent(const struct ftsan_share *share, uint64_t burst_ns,
			  uint32_t percent);

#endif
