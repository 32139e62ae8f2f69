#include "stacks/linetable.h"

#include "stacks/pyabi.h"

/*
 * Objects/locations.md (3.11 to 3.13; InternalDocs/code_objects.md in 3.14): an entry
 * begins with a byte 1cccclll: a code c and the number of code units less one. No other
 * byte of an entry has the top bit set.
 */
enum {
	ENTRY_MARK = 0x80,
	CODE_ONE_LINE_0 = 10, /* line + 0, + 1, + 2 and two column bytes */
	CODE_ONE_LINE_2 = 12,
	CODE_NO_COLUMNS = 13,
	CODE_LONG = 14,
	CODE_NONE = 15,
	CODE_UNIT_BYTES = 2,
};

/* signed_varint() - groups of six bits, the lowest first, 0x40 when more follow; the
 * lowest bit of the whole is the sign. A torn one ends with the entry. */
static int32_t signed_varint(const unsigned char *at, const unsigned char *end)
{
	uint64_t value = 0;

	for (unsigned shift = 0; at < end && shift < 36; shift += 6) {
		unsigned char byte = *at++;

		value |= (uint64_t)(byte & 0x3f) << shift;
		if ((byte & 0x40) == 0)
			break;
	}
	return value & 1 ? -(int32_t)(value >> 1 & INT32_MAX)
			 : (int32_t)(value >> 1 & INT32_MAX);
}

/* put_entry() - account for one entry; Objects/codeobject.c, get_line_delta */
static void put_entry(struct ftsan_line_scan *scan, const unsigned char *entry,
		      const unsigned char *end)
{
	unsigned code = entry[0] >> 3 & 15;
	uint32_t length = ((entry[0] & 7u) + 1) * CODE_UNIT_BYTES;
	int32_t delta = 0;

	if (code == CODE_NO_COLUMNS || code == CODE_LONG)
		delta = signed_varint(entry + 1, end);
	else if (code >= CODE_ONE_LINE_0 && code <= CODE_ONE_LINE_2)
		delta = (int32_t)code - CODE_ONE_LINE_0;
	if (__builtin_add_overflow(scan->line, delta, &scan->line)) {
		scan->broken = true;
		return;
	}
	scan->at += length;
	if (scan->target < scan->at) {
		scan->found = true;
		scan->answer = code == CODE_NONE || scan->line < 0 ? 0 : scan->line;
	}
}

uint32_t ftsan_line_scan(struct ftsan_line_scan *scan, const unsigned char *piece,
			 uint32_t size_bytes, bool last)
{
	uint32_t at = 0;

	while (at < size_bytes && !scan->found && !scan->broken) {
		uint32_t next = at + 1;

		if ((piece[at] & ENTRY_MARK) == 0) {
			scan->broken = true;
			break;
		}
		while (next < size_bytes && (piece[next] & ENTRY_MARK) == 0)
			next++;
		if (next == size_bytes && !last)
			break;
		put_entry(scan, piece + at, piece + next);
		at = next;
	}
	return at;
}

int32_t ftsan_line_of(const unsigned char *table, uint32_t size_bytes, int32_t first_line,
		      uint32_t offset)
{
	struct ftsan_line_scan scan = {.target = offset, .line = first_line};

	(void)ftsan_line_scan(&scan, table, size_bytes, true);
	return scan.found ? scan.answer : 0;
}
