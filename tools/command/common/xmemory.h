/* Allocation for the command: there is nothing sensible to do without memory. */
#ifndef FTSAN_TOOLS_XMEMORY_H
#define FTSAN_TOOLS_XMEMORY_H

#include <stddef.h>

/*
 * All of them end the command with status 125 and a message when there is no memory.
 * Ownership: the caller's, to be released with free().
 */
void *ftsan_xcalloc(size_t count, size_t size_bytes);
char *ftsan_xstrdup(const char *text);
char *ftsan_xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * ftsan_xgrow() - make room for one more element
 * @array:      malloc'ed or NULL; taken
 * @count:      elements in use
 * @capacity:   elements there is room for; updated
 * @size_bytes: of one element
 *
 * Return: the array, moved or not.
 */
void *ftsan_xgrow(void *array, size_t count, size_t *capacity, size_t size_bytes);

#endif
