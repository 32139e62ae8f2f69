/*
 * Blocks of mimalloc as CPython's free-threaded builds have it. Private to the room.
 */
#ifndef FTSAN_MEMORY_MIMALLOC_H
#define FTSAN_MEMORY_MIMALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "stacks/stacks.h"

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
bool ftsan_mimalloc_trusts(void);
void ftsan_mimalloc_trust(uintptr_t key);

/**
 * struct ftsan_mimalloc_layout - one CPython minor version's mimalloc
 * @segment_shift, @slice_shift: log2 of their bytes
 * @cookie: of mi_segment_t, followed by segment_slices and segment_info_slices, kind,
 *          slice_entries and thread_id (mi_segment_s, from `cookie` on)
 * @slices: the array of mi_page_t that the segment ends with
 */
struct ftsan_mimalloc_layout {
	uint32_t version; /* PY_VERSION_HEX >> 16 */
	uint32_t segment_shift, slice_shift;
	uint32_t cookie, slices, page_bytes;
	uint32_t slice_count, slice_offset, tag_byte, block_size;
};

/**
 * struct ftsan_mimalloc - for the inline below
 * @key:    cookie ^ address of the segment: one value a process (mi_segment_t.cookie)
 * @layout: set once at start; zeros where it is not known
 */
struct ftsan_mimalloc {
	_Alignas(64) _Atomic uintptr_t key;
	struct ftsan_mimalloc_layout layout;
};
extern FTSAN_HIDDEN struct ftsan_mimalloc ftsan_mimalloc;

/* Of the first byte of a block that is in use, in a few loads: for a caller that knows it
 * is one. Size and tag; false: not told, ask the long way. */
static inline bool ftsan_mimalloc_live(uintptr_t begin, uint32_t *size, unsigned *tag)
{
	const struct ftsan_mimalloc_layout *layout = &ftsan_mimalloc.layout;
	uintptr_t key = atomic_load_explicit(&ftsan_mimalloc.key, memory_order_relaxed);
	uintptr_t in = begin & (((uintptr_t)1 << layout->segment_shift) - 1);
	uintptr_t segment = begin - in, page;

	/* Without a layout there is no key. */
	if (FTSAN_UNLIKELY(key == 0 ||
			   (ftsan_member(segment, layout->cookie) ^ segment) != key))
		return false;
	page = segment + layout->slices +
	       (in >> layout->slice_shift) * layout->page_bytes;
	page -= ftsan_member_u32(page, layout->slice_offset);
	*size = ftsan_member_u32(page, layout->block_size);
	*tag = *(const unsigned char *)(page + layout->tag_byte) >> 3 & 15;
	return true;
}

#endif
