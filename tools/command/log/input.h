/* The lines of a finished log: a file, gzip'ed or not, a pipe, or standard input. */
#ifndef FTSAN_TOOLS_INPUT_H
#define FTSAN_TOOLS_INPUT_H

#include <stdbool.h>

#include "log/tail.h"

/**
 * struct ftsan_input_end - how a log ended
 * @torn:    in the middle of a line, which was not handed over
 * @problem: why reading ended too early ("the gzip data is damaged"); "" when it did not
 */
struct ftsan_input_end {
	bool torn;
	char problem[128];
};

/**
 * ftsan_input_read() - hand over every complete line
 * @path: "-" for standard input
 *
 * Memory: a buffer of the size of the longest line, 16 MiB at most; longer ones are
 * handed over as NULL.
 *
 * Return: 0; -errno when there is nothing to read at all: -EISDIR, -EINVAL for a device,
 *         and those of open(2). Trouble on the way is told in @end only.
 */
int ftsan_input_read(const char *path, ftsan_tail_line line, void *argument,
		     struct ftsan_input_end *end);

#endif
