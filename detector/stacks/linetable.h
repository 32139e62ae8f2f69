/*
 * The location table of a code object (PEP 657, CPython 3.11 and later), read in pieces.
 */
#ifndef FTSAN_LINETABLE_H
#define FTSAN_LINETABLE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct ftsan_line_scan - progress of one look-up
 * @target: bytes from the start of the bytecode
 * @at:     bytes of bytecode that the entries so far cover
 * @line:   line that the next entry counts from
 * @found:  the entry of @target was met; @answer is its line, 0 for "none"
 * @broken: the table is not one
 */
struct ftsan_line_scan {
	uint32_t target;
	uint32_t at;
	int32_t line;
	int32_t answer;
	bool found;
	bool broken;
};

/**
 * ftsan_line_scan() - go through the entries in one piece of a table
 * @scan:  zeroed, but for @target and @line (co_firstlineno)
 * @piece: bytes that begin at an entry
 * @last:  the table ends with the piece; otherwise its last entry may be cut off, and
 *         is left for the next piece
 *
 * Pure. Return: bytes used up; 0 when the piece holds no whole entry.
 */
uint32_t ftsan_line_scan(struct ftsan_line_scan *scan, const unsigned char *piece,
			 uint32_t size_bytes, bool last);

#endif
