#include "budget/share.h"

#include "budget/effort.h"
#include "rules/rules.h"

void ftsan_share_begin(struct ftsan_share *share)
{
	atomic_store_explicit(&share->spent_ns, 0, memory_order_relaxed);
	share->began_cpu_ns = ftsan_effort_cpu_ns();
}

void ftsan_share_forgive(struct ftsan_share *share, uint64_t most_ns)
{
	uint64_t spent = atomic_load_explicit(&share->spent_ns, memory_order_relaxed);
	uint64_t left;

	do {
		left = spent > most_ns ? spent - most_ns : 0;
	} while (!atomic_compare_exchange_weak(&share->spent_ns, &spent, left));
}

bool ftsan_share_is_spent(const struct ftsan_share *share, uint64_t burst_ns,
			  uint32_t percent)
{
	return ftsan_rule_spent(
		atomic_load_explicit(&share->spent_ns, memory_order_relaxed),
		ftsan_effort_cpu_ns() - share->began_cpu_ns, burst_ns, percent);
}
