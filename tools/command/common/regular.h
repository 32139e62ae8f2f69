/*
 * Regular files. A path that a log or a file names may be a pipe or a device, which could
 * keep us for ever.
 */
#ifndef FTSAN_TOOLS_REGULAR_H
#define FTSAN_TOOLS_REGULAR_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

bool ftsan_is_regular(const char *path);

/* For reading; -1 where there is none. */
int ftsan_open_regular(const char *path);

/* The same as a stream, for files of @most_bytes at most; NULL where there is none. */
FILE *ftsan_fopen_regular(const char *path, off_t most_bytes);

#endif
