/*
 * The log file: one write(2) a line, appended. See docs/log.md.
 *
 * The descriptor is opened again when the program has closed or reused its number. A
 * line that could be written only in part (a full disk) is torn; the next one begins
 * with a line break, so that readers lose that line and no other.
 */
#ifndef FTSAN_LOG_H
#define FTSAN_LOG_H

#include <stdbool.h>

#include "base/base.h"

enum { FTSAN_LOG_PATH_MAX = 1024 };

/**
 * ftsan_log_open() - start-up, and again in the child of a fork
 * @pattern: %p stands for the pid; empty: "ftsan.%p.jsonl" in the working directory.
 *           A relative name counts from where the program was at the first call
 * @root:    first process of the tree; the others add ".PID" to a name without %p
 *
 * The file is created with mode 0600; a symbolic link in its place is refused.
 * Context: async-signal-safe. Return: 0 or -errno.
 */
int ftsan_log_open(const char *pattern, bool root);

/* Closes it and the copy of stderr; nothing is written until it is opened again. */
void ftsan_log_close(void);

/* The name in use; empty before ftsan_log_open(). */
const char *ftsan_log_path(void);

/* Appends @line and a line break. Async-signal-safe. Return: 0 or -errno (counted). */
int ftsan_log_write(struct ftsan_buf *line);

/* Keeps a copy of stderr for findings that output capture shall not swallow, and
 * writes to it. Async-signal-safe. */
void ftsan_log_keep_stderr(void);
void ftsan_log_stderr(const struct ftsan_buf *text);

#endif
