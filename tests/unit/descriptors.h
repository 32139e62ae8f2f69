/* What programs do to descriptors that are not theirs. */
#ifndef FTSAN_TESTS_DESCRIPTORS_H
#define FTSAN_TESTS_DESCRIPTORS_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_DESCRIPTOR = 10, DESCRIPTORS = 1024 };

/* os.closerange(); the few numbers below are the test framework's. */
static inline void close_all(void)
{
	for (int fd = FIRST_DESCRIPTOR; fd < DESCRIPTORS; fd++)
		close(fd);
}

/* Takes every number that can be had for one file of the program's own. */
static inline void take_all(int file)
{
	for (int fd = FIRST_DESCRIPTOR; fd < DESCRIPTORS; fd++)
		if (fd != file)
			(void)dup2(file, fd);
}

/* A new empty file that has no name any more. */
static inline int scratch_file(void)
{
	char path[] = "/tmp/ftsan-test-XXXXXX";
	int fd = mkstemp(path);

	(void)unlink(path);
	return fd;
}

static inline long long size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (long long)st.st_size : -1;
}

#endif
