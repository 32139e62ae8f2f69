#include "common/regular.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool ftsan_is_regular(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

int ftsan_open_regular(const char *path)
{
	/* O_NONBLOCK: a pipe without a writer would be waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

FILE *ftsan_fopen_regular(const char *path, off_t most_bytes)
{
	int fd = ftsan_open_regular(path);
	struct stat status;
	FILE *file = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && status.st_size <= most_bytes)
		file = fdopen(fd, "r");
	if (file == NULL)
		close(fd);
	return file;
}
