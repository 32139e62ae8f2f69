#include "budget/sampling.h"

#include <stdatomic.h>

#include "base/base.h"
#include "rules/rules.h"

enum { ENTRIES = 16384, PROBES = 8, COUNT_BITS = 32 };

#define COUNT_MASK ((1ull << COUNT_BITS) - 1)

/* tag << COUNT_BITS | calls; 0: free. One word, so that both change at once. */
static _Atomic uint64_t table[ENTRIES];

static uint64_t mix(uint64_t hash)
{
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdull;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53ull;
	return hash ^ hash >> 33;
}

/* count() - the calls so far of the entry with this tag; false: it is another's. */
static bool count(_Atomic uint64_t *entry, uint64_t tag, uint32_t *calls)
{
	uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);

	if (word == 0 && atomic_compare_exchange_strong_explicit(entry, &word, tag | 1,
								 memory_order_relaxed,
								 memory_order_relaxed)) {
		*calls = 0;
		return true;
	}
	if ((word & ~COUNT_MASK) != tag)
		return false;
	*calls = (uint32_t)(word & COUNT_MASK);
	/* It stays at the top: at half of it the rate is the lowest one already. */
	atomic_store_explicit(
		entry,
		(word & COUNT_MASK) == COUNT_MASK ? tag | (COUNT_MASK + 1) / 2 : word + 1,
		memory_order_relaxed);
	return true;
}

static uint64_t tag_of(uint64_t hash)
{
	return (hash | 1ull << 63) & ~COUNT_MASK;
}

/* call() - counts a call; false: there is no room for what is called. */
static bool call(uint64_t hash, uint32_t *calls)
{
	for (unsigned i = 0; i < PROBES; i++)
		if (count(&table[(hash + i) % ENTRIES], tag_of(hash), calls))
			return true;
	return false;
}

static bool take_homeless(uint32_t always)
{
	static _Atomic uint32_t homeless;

	ftsan_count(left_out_sites);
	return ftsan_rule_sample(
		always * FTSAN_SAMPLE_RAREST +
			atomic_fetch_add_explicit(&homeless, 1, memory_order_relaxed),
		always);
}

bool ftsan_sampling_take(uint64_t site, uint64_t kind, uint32_t always)
{
	uint32_t calls, harmless;

	if (!call(mix(site), &calls))
		return take_homeless(always);
	if (!ftsan_rule_sample(calls, always))
		return false;
	return kind == FTSAN_SAMPLING_ALIKE || !call(mix(~kind), &harmless) ||
	       ftsan_rule_sample_known(calls, always, harmless);
}

void ftsan_sampling_harm(uint64_t kind)
{
	uint64_t hash = mix(~kind);

	for (unsigned i = 0; i < PROBES; i++) {
		_Atomic uint64_t *entry = &table[(hash + i) % ENTRIES];
		uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);

		if ((word & ~COUNT_MASK) != tag_of(hash))
			continue;
		/* Calls that others count meanwhile may be lost. */
		atomic_store_explicit(entry, tag_of(hash), memory_order_relaxed);
		return;
	}
}

void ftsan_sampling_reset(void)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		atomic_store_explicit(&table[i], 0, memory_order_relaxed);
}
