/*
 * Blocks of mimalloc as CPython's free-threaded builds have it. Private to the room.
 */
#ifndef FTSAN_MEMORY_MIMALLOC_H
#define FTSAN_MEMORY_MIMALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* Which heap a block is from (Include/internal/pycore_mimalloc.h, mi_memid tags). */
enum ftsan_block_tag {
	FTSAN_TAG_MEM = 0,
	FTSAN_TAG_OBJECT = 1,
	FTSAN_TAG_GC = 2,
	FTSAN_TAG_GC_PRE = 3, /* two words precede the object */
};

/**
 * struct ftsan_block - a block, free or not
 * @begin, @size: the block; the size is that of its class
 * @tag: enum ftsan_block_tag
 * @thread: whose heap it is from (address of its thread's descriptor), 0: nobody's now
 * @key: what its segment has as the process's cookie
 */
struct ftsan_block {
	uintptr_t begin;
	uint32_t size;
	uint8_t tag;
	uintptr_t thread;
	uintptr_t key;
};

/* Is the layout of this PY_VERSION_HEX known? Context: start-up. */
bool ftsan_mimalloc_init(uint32_t version);

/*
 * The block that holds @address. Until a cookie is trusted any memory that looks like a
 * segment is taken for one: the caller has to see an object in the block then, and say
 * so. Async-signal-safe.
 */
bool ftsan_mimalloc_block(uintptr_t address, struct ftsan_block *out);
/* The same of the first byte of a block that is in use, in a few loads: a caller that
 * knows it is one. False: not told, ask the long way. */
bool ftsan_mimalloc_live(uintptr_t begin, struct ftsan_block *out);
bool ftsan_mimalloc_trusts(void);
void ftsan_mimalloc_trust(uintptr_t key);

#endif
