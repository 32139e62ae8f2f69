#include "log/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/common.h"

enum { CHUNK_BYTES = 1 << 18, LINE_MAX_BYTES = 1 << 24 };

/**
 * struct reader - a log on its way
 * @text:     @used of @capacity bytes, which begin where a line begins
 * @skipping: in the middle of a line that is too long
 */
struct reader {
	gzFile file;
	ftsan_tail_line line;
	void *argument;
	char *text;
	size_t used, capacity;
	bool skipping;
};

/* A pipe is fine, because the caller named it; a directory or a device is a mistake. */
static int open_input(const char *path)
{
	struct stat status;
	int fd, error = 0;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) != 0)
		error = -errno;
	else if (S_ISDIR(status.st_mode))
		error = -EISDIR;
	else if (S_ISBLK(status.st_mode) ||
		 (S_ISCHR(status.st_mode) && strcmp(path, "-") != 0))
		error = -EINVAL;
	if (error == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return error;
}

/* Hands over the complete lines; what is left moves to the front. */
static void hand_over(struct reader *reader)
{
	char *from = reader->text, *end = reader->text + reader->used, *newline;

	while ((newline = memchr(from, '\n', (size_t)(end - from))) != NULL) {
		if (reader->skipping)
			reader->skipping = false;
		else
			reader->line(reader->argument, from, (size_t)(newline - from));
		from = newline + 1;
	}
	reader->used = (size_t)(end - from);
	memmove(reader->text, from, reader->used);
}

/* The buffer is full without a line's end. */
static void widen(struct reader *reader)
{
	char *wider;

	if (reader->capacity >= LINE_MAX_BYTES) {
		if (!reader->skipping)
			reader->line(reader->argument, NULL, 0);
		reader->skipping = true;
		reader->used = 0;
		return;
	}
	wider = ftsan_xcalloc(reader->capacity, 2);
	memcpy(wider, reader->text, reader->used);
	free(reader->text);
	reader->text = wider;
	reader->capacity *= 2;
}

static void read_lines(struct reader *reader)
{
	int n;

	for (;;) {
		if (reader->used == reader->capacity)
			widen(reader);
		n = gzread(reader->file, reader->text + reader->used,
			   (unsigned)(reader->capacity - reader->used));
		if (n <= 0)
			return;
		reader->used += (size_t)n;
		hand_over(reader);
	}
}

static void describe_end(struct reader *reader, struct ftsan_input_end *end)
{
	int error = Z_OK;

	(void)gzerror(reader->file, &error);
	end->torn = reader->used > 0 || reader->skipping;
	if (error == Z_ERRNO)
		snprintf(end->problem, sizeof(end->problem), "%s", strerror(errno));
	else if (error == Z_BUF_ERROR)
		snprintf(end->problem, sizeof(end->problem), "the gzip data is cut off");
	else if (error != Z_OK && error != Z_STREAM_END)
		snprintf(end->problem, sizeof(end->problem), "the gzip data is damaged");
}

int ftsan_input_read(const char *path, ftsan_tail_line line, void *argument,
		     struct ftsan_input_end *end)
{
	struct reader reader = {
		.line = line, .argument = argument, .capacity = CHUNK_BYTES};
	int fd = open_input(path);

	memset(end, 0, sizeof(*end));
	if (fd < 0)
		return fd;
	reader.file = gzdopen(fd, "rb");
	if (reader.file == NULL) {
		close(fd);
		return -ENOMEM;
	}
	gzbuffer(reader.file, CHUNK_BYTES);
	reader.text = ftsan_xcalloc(reader.capacity, 1);
	read_lines(&reader);
	describe_end(&reader, end);
	free(reader.text);
	gzclose_r(reader.file);
	return 0;
}
