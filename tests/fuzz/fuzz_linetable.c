/*
 * The location table of a code object, read from memory that another thread may be
 * writing: four bytes of target, one of piece length, then the table.
 */
#include "fuzz.h"
#include "stacks/linetable.h"
#include "stacks/stacks.h"

/* As pyframes.c does it: a piece at a time, until an entry does not fit into one. */
static struct ftsan_line_scan in_pieces(const uint8_t *table, uint32_t size,
					uint32_t target, uint32_t piece)
{
	struct ftsan_line_scan scan = {.target = target, .line = 30};
	uint32_t at = 0;

	while (at < size && !scan.found && !scan.broken) {
		uint32_t count = size - at < piece ? size - at : piece;
		uint8_t *copy = fuzz_copy(table + at, count);
		uint32_t used = ftsan_line_scan(&scan, copy, count, count == size - at);

		free(copy);
		EXPECT(used <= count);
		if (used == 0)
			break;
		at += used;
	}
	return scan;
}

/* The most bytes that an entry of @table takes. */
static uint32_t longest_entry(const uint8_t *table, uint32_t size)
{
	uint32_t longest = 0, length = 0;

	for (uint32_t at = 0; at < size; at++) {
		length = table[at] & 0x80 ? 1 : length + 1;
		if (length > longest)
			longest = length;
	}
	return longest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ftsan_line_scan whole = {.line = 30}, parts;
	uint32_t length, piece;
	uint8_t *table;

	if (size < 6 || size > 1 << 16)
		return 0;
	memcpy(&whole.target, data, sizeof(whole.target));
	length = (uint32_t)size - 5;
	table = fuzz_copy(data + 5, length);
	EXPECT(ftsan_line_scan(&whole, table, length, true) <= length);
	EXPECT(!whole.found || whole.answer >= 0);
	piece = data[4];
	parts = in_pieces(table, length, whole.target, piece > 0 ? piece : 1);
	/* One byte more than an entry shows where it ends. */
	if (piece > longest_entry(table, length)) {
		EXPECT(parts.found == whole.found && parts.broken == whole.broken);
		EXPECT(parts.answer == whole.answer && parts.at == whole.at);
	}
	free(table);
	return 0;
}
