/* Records of freed blocks, and the order in which they came. Private to the room. */
#ifndef FTSAN_FREED_RING_H
#define FTSAN_FREED_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"

/**
 * struct ftsan_freed_record - one block
 * @serial: number of the record, in use for one block at a time; 0: it is being written.
 *          The low bits say where the record is
 * @held:   the block has not been released
 * @object: bytes before the object in it divided by 8, FTSAN_NO_OBJECT: it holds none
 * @site:   number of where it was freed, 0: not known
 */
struct ftsan_freed_record {
	_Atomic uint32_t serial;
	int tid;
	uintptr_t block;
	uint64_t ticks;
	uint16_t bytes;
	uint16_t site;
	_Atomic bool held;
	uint8_t origin;
	uint8_t object;
};

_Static_assert(FTSAN_FREED_BLOCK_MAX <= UINT16_MAX, "the size of a block");
_Static_assert(sizeof(struct ftsan_freed_record) == 32, "two in a line of the cache");

enum { FTSAN_NO_OBJECT = 255 };

/* @most_blocks: of a shard, 16,384 at most; after a drain no more than the first time
 * allowed for. Context: start-up. Return: 0 or -ENOMEM. */
int ftsan_ring_init(uint64_t budget_bytes, uint32_t most_blocks,
		    void (*release)(unsigned origin, uintptr_t block));

/**
 * ftsan_ring_put() - hold a block back
 * @record: without serial
 *
 * Releases the oldest blocks until the bounds are kept. Context: normal.
 * Return: the record's serial, 0: there was no room, or nobody to wait for.
 */
uint32_t ftsan_ring_put(const struct ftsan_freed_record *record,
			void (*fill)(const struct ftsan_freed_record *record,
				     uint32_t serial));

/* The record of that number, if it still is that one's. Any context. */
const struct ftsan_freed_record *ftsan_ring_at(uint32_t serial);

/* The last record whose block holds @address, NULL: none. Looks at all of them. Any
 * context. */
const struct ftsan_freed_record *ftsan_ring_find(uintptr_t address);

/* How many blocks were put, for a report. Any context. */
uint64_t ftsan_ring_puts(void);

/* Releases everything. Context: normal, no more puts. */
void ftsan_ring_drain(void);

/* The child of a fork: what another thread was changing is forgotten, its blocks lost. */
void ftsan_ring_fork_child(void);

#endif
