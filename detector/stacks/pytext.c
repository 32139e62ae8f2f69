#include "stacks/pytext.h"

#include <string.h>

#include "base/base.h"

#define HEAD_MAX 128u
/* A file name or a qualified name that is longer is no name. */
#define LENGTH_MAX (1 << 20)
#define REPLACEMENT 0xfffdu

/**
 * struct shape - how a str is laid out
 * @data:   address of the first character
 * @length: in characters
 * @kind:   bytes a character: 1, 2 or 4
 * @ascii:  it is UTF-8 already
 */
struct shape {
	uintptr_t data;
	uint64_t length;
	unsigned kind;
	bool ascii;
};

/*
 * Include/cpython/unicodeobject.h, PyASCIIObject.state: `interned`, then kind:3,
 * compact:1, ascii:1. `interned` has 2 bits in GIL builds and in 3.13t, 8 in 3.14.0t
 * (an unsigned char, because it is accessed atomically). Its values are 0 to 3 and kind
 * is never 0, so wherever it is too narrow the kind reads as 0.
 */
static bool read_state(uint32_t state, unsigned *kind, bool *ascii)
{
	for (unsigned shift = 2; shift <= 16; shift = shift == 2 ? 8 : shift * 2) {
		bool compact = state >> (shift + 3) & 1;

		*kind = state >> shift & 7;
		*ascii = state >> (shift + 4) & 1;
		if (*kind != 0)
			return compact &&
			       (*kind == 1 || ((*kind == 2 || *kind == 4) && !*ascii));
	}
	return false;
}

static bool read_shape(const struct ftsan_pyabi *abi, uintptr_t str, struct shape *shape)
{
	unsigned char head[HEAD_MAX];
	uint32_t state;

	if (str == 0 || abi->unicode_ascii_size > sizeof(head) ||
	    abi->unicode_state + 4 > abi->unicode_ascii_size ||
	    abi->unicode_length + 8 > abi->unicode_ascii_size ||
	    ftsan_safe_read(head, (const void *)str, abi->unicode_ascii_size) != 0)
		return false;
	memcpy(&state, head + abi->unicode_state, sizeof(state));
	memcpy(&shape->length, head + abi->unicode_length, sizeof(shape->length));
	if (!read_state(state, &shape->kind, &shape->ascii) || shape->length > LENGTH_MAX)
		return false;
	shape->data = str + (shape->ascii ? abi->unicode_ascii_size
					  : abi->unicode_compact_size);
	return true;
}

static uint32_t character(const unsigned char *data, unsigned kind, size_t index)
{
	uint32_t code = 0;

	memcpy(&code, data + index * kind, kind);
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return REPLACEMENT;
	return code;
}

static size_t put_utf8(char *to, uint32_t code)
{
	size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = length - 1; i > 0; i--) {
		to[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	to[0] = (char)(lead[length] | code);
	return length;
}

/* A torn one may have bytes that no text has. */
static bool is_plain(const unsigned char *text, size_t length)
{
	unsigned char high = 0;

	for (size_t i = 0; i < length; i++)
		high |= text[i] | (text[i] - 1u);
	return (high & 0x80) == 0;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* fit() - cut @length bytes of UTF-8 (which may be a part already) to the capacity */
static void fit(char *to, size_t capacity, const char *text, size_t length, bool whole,
		bool keep_tail)
{
	static const char dots[] = "...";
	size_t room = capacity - 1, at = 0;

	if (whole && length <= room) {
		memcpy(to, text, length);
		to[length] = '\0';
		return;
	}
	if (keep_tail) {
		memcpy(to, dots, sizeof(dots) - 1);
		to += sizeof(dots) - 1;
		room -= sizeof(dots) - 1;
		at = length > room ? length - room : 0;
		while (at < length && is_continuation(text[at]))
			at++;
		length -= at;
	} else if (length > room) {
		length = room;
		while (length > 0 && is_continuation(text[length]))
			length--;
	}
	memcpy(to, text + at, length);
	to[length] = '\0';
}

bool ftsan_pytext_read(const struct ftsan_pyabi *abi, uintptr_t str, char *to,
		       size_t capacity, bool keep_tail)
{
	unsigned char raw[FTSAN_PYFILE_MAX * 4];
	char text[FTSAN_PYFILE_MAX * 4];
	struct shape shape;
	size_t count, length = 0;
	uintptr_t from;

	to[0] = '\0';
	if (capacity > FTSAN_PYFILE_MAX || !read_shape(abi, str, &shape))
		return false;
	/* A character is at least one byte of UTF-8: no more of them can fit. */
	count = shape.length < capacity ? shape.length : capacity;
	from = shape.data + (keep_tail ? (shape.length - count) * shape.kind : 0);
	if (ftsan_safe_read(raw, (const void *)from, count * shape.kind) != 0)
		return false;
	/* Most names; every free of a published buffer reads some. */
	if (shape.ascii && is_plain(raw, count)) {
		fit(to, capacity, (const char *)raw, count, count == shape.length,
		    keep_tail);
		return true;
	}
	for (size_t i = 0; i < count; i++)
		length += put_utf8(text + length, character(raw, shape.kind, i));
	fit(to, capacity, text, length, count == shape.length, keep_tail);
	return true;
}
