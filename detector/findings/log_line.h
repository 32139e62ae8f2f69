/*
 * A record of the log, member by member: one line of JSON.
 *
 * Context of everything: async-signal-safe.
 */
#ifndef FTSAN_LOG_LINE_H
#define FTSAN_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* A record of that type begins in @storage, which the caller has for itself. */
void ftsan_line_begin(struct ftsan_buf *line, char *storage, size_t size_bytes,
		      const char *type);

/* The name of a member; also the first one after a '{' that the caller has put. */
void ftsan_line_key(struct ftsan_buf *line, const char *name);
void ftsan_line_u64(struct ftsan_buf *line, const char *name, uint64_t value);
void ftsan_line_i64(struct ftsan_buf *line, const char *name, int64_t value);
void ftsan_line_bool(struct ftsan_buf *line, const char *name, bool value);
void ftsan_line_str(struct ftsan_buf *line, const char *name, const char *value);
/* A string, as addresses and offsets are. */
void ftsan_line_hex(struct ftsan_buf *line, const char *name, uint64_t value);
/* "time": now, in seconds since the epoch. */
void ftsan_line_time(struct ftsan_buf *line);

/* Ends the record and appends it to the log. */
void ftsan_line_finish(struct ftsan_buf *line);

#endif
