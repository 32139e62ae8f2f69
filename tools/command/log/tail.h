/* The complete lines of a file that is still being written, each once. */
#ifndef FTSAN_TOOLS_TAIL_H
#define FTSAN_TOOLS_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct ftsan_tail - how far one file was read
 * @path:     owned
 * @consumed: bytes up to the end of the last complete line
 * @size:     of the file when it was last read
 * @skipping: in the middle of a line that is too long to be one of ours
 *
 * No descriptor stays open: a test run may have more processes than we may have files.
 */
struct ftsan_tail {
	char *path;
	off_t consumed;
	off_t size;
	bool skipping;
};

/* One line without its newline; @text is NULL for one that was too long to keep. */
typedef void (*ftsan_tail_line)(void *argument, const char *text, size_t length);

void ftsan_tail_init(struct ftsan_tail *tail, const char *path);
void ftsan_tail_release(struct ftsan_tail *tail);

/**
 * ftsan_tail_read() - hand over the lines that were completed since
 *
 * Return: 0, or -errno: -ENOENT while there is no file, -EINVAL when it is no regular
 *         file, or why it can't be read. Lines before the error were handed over.
 */
int ftsan_tail_read(struct ftsan_tail *tail, ftsan_tail_line line, void *argument);

/* Does the file, as it was read last, end in the middle of a line? */
bool ftsan_tail_is_torn(const struct ftsan_tail *tail);

#endif
