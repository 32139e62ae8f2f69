#include "base/fmt.h"

#include <string.h>

void ftsan_buf_init(struct ftsan_buf *buf, char *storage, size_t capacity_bytes)
{
	buf->text = storage;
	buf->capacity = capacity_bytes;
	buf->length = 0;
	buf->truncated = false;
}

void ftsan_buf_char(struct ftsan_buf *buf, char c)
{
	if (buf->length >= buf->capacity) {
		buf->truncated = true;
		return;
	}
	buf->text[buf->length++] = c;
}

void ftsan_buf_bytes(struct ftsan_buf *buf, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		ftsan_buf_char(buf, text[i]);
}

void ftsan_buf_str(struct ftsan_buf *buf, const char *text)
{
	while (*text != '\0')
		ftsan_buf_char(buf, *text++);
}

void ftsan_buf_u64(struct ftsan_buf *buf, uint64_t value)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	while (n > 0)
		ftsan_buf_char(buf, digits[--n]);
}

void ftsan_buf_i64(struct ftsan_buf *buf, int64_t value)
{
	uint64_t magnitude = (uint64_t)value;

	if (value < 0) {
		ftsan_buf_char(buf, '-');
		magnitude = 0 - magnitude;
	}
	ftsan_buf_u64(buf, magnitude);
}

void ftsan_buf_hex(struct ftsan_buf *buf, uint64_t value)
{
	int shift = 60;

	ftsan_buf_str(buf, "0x");
	while (shift > 0 && (value >> shift) == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		ftsan_buf_char(buf, "0123456789abcdef"[(value >> shift) & 15]);
}

void ftsan_buf_decimal(struct ftsan_buf *buf, uint64_t value, unsigned digits)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < digits; i++)
		one *= 10;
	ftsan_buf_u64(buf, value / one);
	ftsan_buf_char(buf, '.');
	for (one /= 10; one > 0; one /= 10)
		ftsan_buf_char(buf, (char)('0' + value / one % 10));
}

void ftsan_buf_hex16(struct ftsan_buf *buf, uint64_t value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		ftsan_buf_char(buf, "0123456789abcdef"[(value >> shift) & 15]);
}

/* utf8_length() - bytes of the well-formed UTF-8 sequence at @s, or 0. */
static size_t utf8_length(const unsigned char *s)
{
	uint32_t code;
	size_t length;

	if (s[0] < 0x80)
		return 1;
	if ((s[0] & 0xe0) == 0xc0)
		length = 2, code = s[0] & 0x1f;
	else if ((s[0] & 0xf0) == 0xe0)
		length = 3, code = s[0] & 0x0f;
	else if ((s[0] & 0xf8) == 0xf0)
		length = 4, code = s[0] & 0x07;
	else
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	/* Overlong forms, surrogates and values past Unicode are not UTF-8. */
	if (code < (length == 2	  ? 0x80u
		    : length == 3 ? 0x800u
				  : 0x10000u) ||
	    code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

static void put_escaped(struct ftsan_buf *buf, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	switch (c) {
	case '"':
		ftsan_buf_str(buf, "\\\"");
		break;
	case '\\':
		ftsan_buf_str(buf, "\\\\");
		break;
	case '\n':
		ftsan_buf_str(buf, "\\n");
		break;
	case '\t':
		ftsan_buf_str(buf, "\\t");
		break;
	default:
		if (c < 0x20 || c == 0x7f) {
			ftsan_buf_str(buf, "\\u00");
			ftsan_buf_char(buf, hex[c >> 4]);
			ftsan_buf_char(buf, hex[c & 15]);
		} else {
			ftsan_buf_char(buf, (char)c);
		}
	}
}

void ftsan_buf_json(struct ftsan_buf *buf, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	ftsan_buf_char(buf, '"');
	while (*s != 0) {
		size_t length = utf8_length(s);

		if (length == 1) {
			put_escaped(buf, *s++);
		} else if (length == 0) {
			ftsan_buf_str(buf, "\\ufffd");
			s++;
		} else {
			ftsan_buf_bytes(buf, (const char *)s, length);
			s += length;
		}
	}
	ftsan_buf_char(buf, '"');
}

const char *ftsan_buf_cstr(struct ftsan_buf *buf)
{
	if (buf->capacity == 0)
		return "";
	if (buf->length == buf->capacity) {
		buf->truncated = true;
		buf->length--;
	}
	buf->text[buf->length] = '\0';
	return buf->text;
}
