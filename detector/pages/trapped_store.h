/* A store to a sealed buffer, as those above the engine see it. Data only. */
#ifndef FTSAN_TRAPPED_STORE_H
#define FTSAN_TRAPPED_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"

/**
 * struct ftsan_trapped_store - a store to a sealed buffer
 * @has_values, @has_new: the 8-byte word's values are known, before and after
 */
struct ftsan_trapped_store {
	uint32_t slot;
	uintptr_t ip;
	struct ftsan_access access;
	bool has_values;
	bool has_new;
	uint64_t old_value;
	uint64_t new_value;
};

#endif
