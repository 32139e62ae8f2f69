#include "common/xmemory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/message.h"

static void *checked(void *memory)
{
	if (memory == NULL) {
		ftsan_error("out of memory");
		exit(FTSAN_EXIT_FAILED);
	}
	return memory;
}

void *ftsan_xcalloc(size_t count, size_t size_bytes)
{
	return checked(calloc(count > 0 ? count : 1, size_bytes));
}

char *ftsan_xstrdup(const char *text)
{
	return checked(strdup(text));
}

char *ftsan_xprintf(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	return checked(text);
}

void *ftsan_xgrow(void *array, size_t count, size_t *capacity, size_t size_bytes)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity > 0 ? *capacity * 2 : 8;
	return checked(reallocarray(array, *capacity, size_bytes));
}
