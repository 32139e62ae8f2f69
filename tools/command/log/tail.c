#include "log/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/common.h"

/* A finding is some tens of kilobytes at most. */
enum { CHUNK_BYTES = 1 << 18, LINE_MAX_BYTES = 1 << 24 };

void ftsan_tail_init(struct ftsan_tail *tail, const char *path)
{
	memset(tail, 0, sizeof(*tail));
	tail->path = ftsan_xstrdup(path);
}

void ftsan_tail_release(struct ftsan_tail *tail)
{
	free(tail->path);
	memset(tail, 0, sizeof(*tail));
}

/* Hands over the complete lines of @text; how many bytes that were. */
static size_t split(struct ftsan_tail *tail, const char *text, size_t length,
		    ftsan_tail_line line, void *argument)
{
	const char *newline;
	size_t used = 0;

	while ((newline = memchr(text + used, '\n', length - used)) != NULL) {
		size_t end = (size_t)(newline - text);

		if (tail->skipping)
			tail->skipping = false;
		else
			line(argument, text + used, end - used);
		used = end + 1;
	}
	return used;
}

/* Reads from @fd until its end; the last line may stay where it is. */
static int read_lines(struct ftsan_tail *tail, int fd, ftsan_tail_line line,
		      void *argument)
{
	size_t capacity = CHUNK_BYTES, used;
	char *text = ftsan_xcalloc(capacity, 1);
	ssize_t n;

	for (;;) {
		n = pread(fd, text, capacity, tail->consumed);
		if (n <= 0)
			break;
		used = split(tail, text, (size_t)n, line, argument);
		if (used == 0 && (size_t)n < capacity)
			break;
		if (used == 0 && capacity < LINE_MAX_BYTES) {
			capacity *= 2;
			free(text);
			text = ftsan_xcalloc(capacity, 1);
			continue;
		}
		if (used == 0) {
			if (!tail->skipping)
				line(argument, NULL, 0);
			tail->skipping = true;
			used = (size_t)n;
		}
		tail->consumed += (off_t)used;
	}
	free(text);
	return n < 0 ? -errno : 0;
}

int ftsan_tail_read(struct ftsan_tail *tail, ftsan_tail_line line, void *argument)
{
	struct stat status;
	int fd, error;

	/* Most polls find nothing new; not opening the file is what makes them cheap. */
	if (stat(tail->path, &status) != 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size == tail->size)
		return 0;
	fd = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	error = read_lines(tail, fd, line, argument);
	close(fd);
	if (error == 0)
		tail->size = status.st_size;
	return error;
}

bool ftsan_tail_is_torn(const struct ftsan_tail *tail)
{
	return tail->size > tail->consumed || tail->skipping;
}
