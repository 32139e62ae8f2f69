/* "1 finding", "2 findings" and their like. */
#ifndef FTSAN_TOOLS_PLURAL_H
#define FTSAN_TOOLS_PLURAL_H

#include <stdint.h>

static inline const char *ftsan_plural(uint64_t count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

#endif
