#include "operations/shared.h"

#include <stdatomic.h>

enum {
	ENTRIES = 1024,
	LOOKS = 64, /* operations after it was seen shared that are watched */
	STATE_BITS = 8,
	THREAD_BITS = 12,
};

/* Header without its low bits | thread | state: looks left + 1, 0: one thread's. */
static _Atomic uint64_t entries[ENTRIES];

static uint64_t key_of(uintptr_t header)
{
	/* Objects are aligned to 16, and user addresses have 47 bits. */
	return (uint64_t)(header >> 4) << (THREAD_BITS + STATE_BITS);
}

static uint64_t thread_bits(uint32_t index)
{
	return (uint64_t)(index & ((1u << THREAD_BITS) - 1)) << STATE_BITS;
}

enum ftsan_shared ftsan_shared_use(uintptr_t header, uint32_t index)
{
	uint64_t key = key_of(header), mask = ~UINT64_C(0) << (THREAD_BITS + STATE_BITS);
	_Atomic uint64_t *entry = &entries[header * 0x9e3779b97f4a7c15ull >> 54];
	uint64_t was = atomic_load_explicit(entry, memory_order_relaxed);
	uint64_t state = was & ((1u << STATE_BITS) - 1);

	if ((was & mask) != key) {
		atomic_store_explicit(entry, key | thread_bits(index),
				      memory_order_relaxed);
		return FTSAN_SHARED_NOT;
	}
	if (state == 0 && (was & ~mask) == thread_bits(index))
		return FTSAN_SHARED_NOT;
	if (state == 0)
		state = LOOKS + 1;
	if (state == 1)
		return FTSAN_SHARED_LONG;
	/* Two threads that both count it down lose a look. */
	atomic_store_explicit(entry, key | thread_bits(index) | (state - 1),
			      memory_order_relaxed);
	return FTSAN_SHARED_JUST;
}
