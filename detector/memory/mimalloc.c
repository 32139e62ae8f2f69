#include "memory/mimalloc.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"

static const struct ftsan_mimalloc_layout layouts[] = {
	{0x030d, 25, 16, 216, 264, 96, 0, 4, 8, 28},
	{0x030e, 25, 16, 216, 264, 96, 0, 4, 8, 28},
	{0x030f, 25, 16, 216, 264, 96, 0, 4, 8, 28},
};

enum { SLICES_MAX = 1024, INFO_SLICES_MAX = 16, PAGE_BYTES_MAX = 128 };

struct ftsan_mimalloc ftsan_mimalloc;
static const struct ftsan_mimalloc_layout *const layout = &ftsan_mimalloc.layout;

/* mi_segment_s from its cookie on. */
struct segment {
	uint64_t cookie;
	uint64_t slices;
	uint64_t info_slices;
	uint32_t kind, unused;
	uint64_t entries;
	uint64_t thread;
};

bool ftsan_mimalloc_init(uint32_t version)
{
	ftsan_mimalloc.layout = (struct ftsan_mimalloc_layout){0};
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(layouts); i++)
		if (layouts[i].version == version >> 16)
			ftsan_mimalloc.layout = layouts[i];
	return ftsan_mimalloc.layout.version != 0;
}

static bool plausible(const struct segment *segment)
{
	return segment->slices != 0 && segment->info_slices != 0 &&
	       segment->info_slices <= INFO_SLICES_MAX && segment->kind <= 1 &&
	       segment->entries != 0 && segment->entries <= SLICES_MAX;
}

bool ftsan_mimalloc_trusts(void)
{
	return atomic_load_explicit(&ftsan_mimalloc.key, memory_order_relaxed) != 0;
}

void ftsan_mimalloc_trust(uintptr_t key)
{
	uintptr_t none = 0;

	atomic_compare_exchange_strong(&ftsan_mimalloc.key, &none, key);
}

/* read_segment() - is it one of this process's, as far as that is known? */
static bool read_segment(uintptr_t at, struct ftsan_block *out)
{
	uintptr_t known = atomic_load_explicit(&ftsan_mimalloc.key, memory_order_relaxed);
	struct segment segment;

	if (ftsan_safe_read(&segment, (const void *)(at + layout->cookie),
			    sizeof(segment)) != 0 ||
	    !plausible(&segment))
		return false;
	out->key = segment.cookie ^ at;
	out->thread = segment.thread;
	return known == 0 || known == out->key;
}

/*
 * Blocks begin some way into a page's slice (mi_segment_page_start_from_slice() and
 * MI_MAX_ALIGN_GUARANTEE): three blocks in for the smallest, one for small ones.
 */
static uintptr_t first_block(uintptr_t slice, uint32_t block_size)
{
	if (block_size <= 64)
		return slice + 3 * (uintptr_t)block_size;
	return slice + (block_size <= 512 ? block_size : 0);
}

static uint32_t word_at(const unsigned char *page, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, page + offset, sizeof(value));
	return value;
}

/* find_page() - mi_page_t of an address; its own address in @at. */
static bool find_page(uintptr_t segment, uintptr_t address, unsigned char *page,
		      uintptr_t *at)
{
	uintptr_t slices = segment + layout->slices;
	uint32_t back;

	*at = slices + ((address - segment) >> layout->slice_shift) * layout->page_bytes;
	if (ftsan_safe_read(page, (const void *)*at, layout->page_bytes) != 0)
		return false;
	back = word_at(page, layout->slice_offset);
	if (back == 0)
		return true;
	/* A slice in the middle says how far back its page's first one is, in bytes. */
	if (back % layout->page_bytes != 0 || back > *at - slices)
		return false;
	*at -= back;
	return ftsan_safe_read(page, (const void *)*at, layout->page_bytes) == 0;
}

bool ftsan_mimalloc_block(uintptr_t address, struct ftsan_block *out)
{
	unsigned char page[PAGE_BYTES_MAX];
	uintptr_t segment, at, start;
	uint32_t size;

	if (layout->version == 0 || address >> layout->segment_shift == 0)
		return false;
	/* A huge block may end exactly where the next segment would begin. */
	segment = (address - 1) >> layout->segment_shift << layout->segment_shift;
	if (!read_segment(segment, out) || !find_page(segment, address, page, &at))
		return false;
	size = word_at(page, layout->block_size);
	if (word_at(page, layout->slice_count) == 0 || size < 8)
		return false;
	start = segment + ((at - segment - layout->slices) / layout->page_bytes
			   << layout->slice_shift);
	start = first_block(start, size);
	if (address < start)
		return false;
	out->begin = start + (address - start) / size * size;
	out->size = size;
	out->tag = page[layout->tag_byte] >> 3 & 15;
	return true;
}
