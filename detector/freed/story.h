/* What is known of freed memory. */
#ifndef FTSAN_FREED_STORY_H
#define FTSAN_FREED_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "stacks/stacks.h"

/**
 * struct ftsan_freed_story - a block that was freed
 * @begin, @bytes: the block
 * @object:  bytes before the object in it, -1: it held none
 * @type:    name of the object's type, "" without one
 * @held:    nobody has got the memory since
 * @filled:  the address was no address, but what the block is filled with
 * @offset:  of the address in the block; of a fill 0
 * @tid, @name: who freed it
 * @ago_ns:  how long ago
 * @stack:   of the free: with the type and the line of Python it is certain, further out
 *           it is that of the first such free
 */
struct ftsan_freed_story {
	uintptr_t begin;
	uint32_t bytes;
	int object;
	char type[64];
	bool held;
	bool filled;
	uint32_t offset;
	int tid;
	char name[16];
	uint64_t ago_ns;
	struct ftsan_stack stack;
};

/**
 * ftsan_freed_find() - what was freed at @address, or is meant by a fill
 *
 * Context: async-signal-safe, without locks. Return: false: nothing that is known.
 */
bool ftsan_freed_find(uint64_t address, struct ftsan_freed_story *out);

/* "a wrapt.ObjectProxy of 96 bytes (+24) that thread 7 ('worker') freed 1.2 ms before".
 * Async-signal-safe. */
void ftsan_freed_describe(const struct ftsan_freed_story *story, struct ftsan_buf *out);

/* "a wrapt.ObjectProxy of 96 bytes". Async-signal-safe. */
void ftsan_freed_describe_block(const struct ftsan_freed_story *story,
				struct ftsan_buf *out);

#endif
