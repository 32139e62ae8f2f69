#include "words/watchpoint.h"

#include "base/base.h"
#include "rules/rules.h"

void ftsan_watch_part(struct ftsan_watchpoint *out, const struct ftsan_access *access,
		      uint32_t turn)
{
	uintptr_t begin = access->address, end = begin + access->size, first, words;

	if (access->size <= 8 && access->size > 0 &&
	    (access->size & (access->size - 1)) == 0 && begin % access->size == 0) {
		out->address = begin;
		out->length = (uint8_t)access->size;
		return;
	}
	first = (begin + 7) & ~(uintptr_t)7;
	words = end > first ? (end - first) / 8 : 0;
	out->address = words == 0 ? begin : first + 8 * (turn % words);
	out->length = words == 0 ? 1 : 8;
}

bool ftsan_watch_read(const struct ftsan_watchpoint *point, uint64_t *value)
{
	const void *from = (const void *)point->address;

	*value = 0;
	/* The kernel's copy is no access of ours: events leave out kernel mode. */
	if (point->reads && ftsan_mem_read(value, point->address, point->length) == 0)
		return true;
	return ftsan_safe_read(value, from, point->length) == 0;
}
