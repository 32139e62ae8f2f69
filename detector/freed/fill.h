/* What a held block is filled with: no address, and it says which record is the block's.
 */
#ifndef FTSAN_FREED_FILL_H
#define FTSAN_FREED_FILL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"

#define FTSAN_FREED_FILL UINT64_C(0xd5d5)

static inline bool ftsan_freed_is_fill(uint64_t value)
{
	return value >> 48 == FTSAN_FREED_FILL;
}

/* Small offsets to either side do not change which block it is. */
static inline uint64_t ftsan_freed_fill(uint32_t serial)
{
	return FTSAN_FREED_FILL << 48 | (uint64_t)serial << 16 | 0x8000;
}

static inline uint32_t ftsan_freed_serial(uint64_t fill)
{
	return (uint32_t)(fill >> 16);
}

/* Are the block's first bytes a fill? A block that is free to be used may begin so. */
static inline bool ftsan_freed_looks_held(uintptr_t block)
{
	uint64_t first;

	memcpy(&first, (const void *)block, sizeof(first));
	return FTSAN_UNLIKELY(ftsan_freed_is_fill(first));
}

#endif
