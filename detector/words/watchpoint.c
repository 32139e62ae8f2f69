#include "words/watchpoint.h"

#include "base/base.h"

bool ftsan_watch_read(const struct ftsan_watchpoint *point, uint64_t *value)
{
	const void *from = (const void *)point->address;

	*value = 0;
	/* The kernel's copy is no access of ours: events leave out kernel mode. */
	if (point->reads && ftsan_mem_read(value, point->address, point->length) == 0)
		return true;
	return ftsan_safe_read(value, from, point->length) == 0;
}
