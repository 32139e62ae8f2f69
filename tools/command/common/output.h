/* Where a report goes: a file that was named, or standard output. */
#ifndef FTSAN_TOOLS_OUTPUT_H
#define FTSAN_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* struct ftsan_output - @out: to be written to; @named: it is a file, called @name */
struct ftsan_output {
	FILE *out;
	const char *name;
	bool named;
};

/**
 * ftsan_output_open() - begin
 * @path: borrowed; NULL or "-": standard output, whose reader may go away from here on
 *
 * Return: 0; -EIO, and the reason was printed.
 */
int ftsan_output_open(struct ftsan_output *output, const char *path);

/**
 * ftsan_output_close() - end
 * @what: that was written: "the report"
 *
 * A reader of standard output that has seen enough (`| head`) is no failure.
 *
 * Return: 0; -EIO: not all could be written, and it was said.
 */
int ftsan_output_close(struct ftsan_output *output, const char *what);

#endif
