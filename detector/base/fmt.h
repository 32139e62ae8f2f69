/*
 * Text into a caller's buffer, without libc.
 *
 * Context: any thread, async-signal-safe, no allocation. A full buffer sets
 * `truncated` and swallows the rest; it never overruns.
 */
#ifndef FTSAN_BASE_FMT_H
#define FTSAN_BASE_FMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct ftsan_buf - growing text in fixed storage
 * @text:      borrowed storage of @capacity bytes; not NUL-terminated
 * @capacity:  bytes
 * @length:    bytes used
 * @truncated: something did not fit
 */
struct ftsan_buf {
	char *text;
	size_t capacity;
	size_t length;
	bool truncated;
};

void ftsan_buf_init(struct ftsan_buf *buf, char *storage, size_t capacity_bytes);
void ftsan_buf_char(struct ftsan_buf *buf, char c);
void ftsan_buf_bytes(struct ftsan_buf *buf, const char *text, size_t length);
void ftsan_buf_str(struct ftsan_buf *buf, const char *text);
void ftsan_buf_u64(struct ftsan_buf *buf, uint64_t value);
void ftsan_buf_i64(struct ftsan_buf *buf, int64_t value);
/* 0x-prefixed, lower case, no leading zeros. */
void ftsan_buf_hex(struct ftsan_buf *buf, uint64_t value);
/* @value times ten to the power of -@digits: 1500 with 3 is 1.500. */
void ftsan_buf_decimal(struct ftsan_buf *buf, uint64_t value, unsigned digits);
/* Sixteen digits, lower case, no prefix: a fingerprint. */
void ftsan_buf_hex16(struct ftsan_buf *buf, uint64_t value);
/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void ftsan_buf_json(struct ftsan_buf *buf, const char *text);
/* NUL-terminates inside the capacity (cutting a byte off if full); the text. */
const char *ftsan_buf_cstr(struct ftsan_buf *buf);

#endif
