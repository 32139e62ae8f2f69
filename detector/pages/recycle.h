/*
 * The way back of quarantined buffers into the arena, several at once: each call that
 * changes a page's protection costs a split or a merge of kernel mappings and a round to
 * the other processors, one call for all pages of a stretch little more than one of them.
 *
 * Context of everything: normal context, any thread. Between ftsan_recycle_begin() and
 * ftsan_recycle_end() the slot is FTSAN_RECYCLING, the caller's.
 */
#ifndef FTSAN_RECYCLE_H
#define FTSAN_RECYCLE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct ftsan_recycling - a buffer under way
 * @slot:  begun
 * @entry: the caller's
 * @done:  set by ftsan_recycle_end(): it is FTSAN_FREE, its page read/write; false: the
 *         kernel refused, it is FTSAN_QUARANTINED again
 */
struct ftsan_recycling {
	uint32_t slot;
	uint32_t entry;
	bool done;
};

/* false: it stays FTSAN_QUARANTINED (a handler looks at it, or it must never be used
 * again). */
bool ftsan_recycle_begin(uint32_t slot);

/* All of them, in any order; sorts them. */
void ftsan_recycle_end(struct ftsan_recycling *batch, uint32_t n);

/* Both for one. */
bool ftsan_recycle(uint32_t slot);

#endif
