/*
 * Checks for programs that run as the preload's host: they end the process at once,
 * because the state that failed is the state of the whole process.
 */
#ifndef FTSAN_TESTS_EXPECT_H
#define FTSAN_TESTS_EXPECT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(condition)                                                                \
	do {                                                                             \
		if (!(condition))                                                        \
			expect_failed(__FILE__, __LINE__, #condition);                   \
	} while (0)

enum { EXPECT_EXIT = 111 };

__attribute__((noreturn)) static inline void expect_failed(const char *file, int line,
							   const char *condition)
{
	dprintf(2, "%s:%d: expected %s\n", file, line, condition);
	kill(getpid(), SIGKILL);
	_exit(EXPECT_EXIT);
}

/* Runs @fn in a child; its wait status. A child that comes back ends with 0. */
static inline int in_child(void (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		fn();
		_exit(0);
	}
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

#define EXPECT_SUCCESS(fn) EXPECT(in_child(fn) == 0)
#define EXPECT_KILLED(fn, sig)                                                           \
	do {                                                                             \
		int status_ = in_child(fn);                                              \
		EXPECT(WIFSIGNALED(status_) && WTERMSIG(status_) == (sig));              \
	} while (0)

/* Is the program run under the fake detector? */
static inline int preloaded(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "ftsan");
}

/*
 * Lines of the fake detector's log that hold @text and this process's id; -1
 * when there is to be no log.
 */
static inline int logged(const char *text)
{
	const char *path = getenv("FTSAN_FAKE_LOG");
	char line[256], pid[24];
	int n = 0;
	FILE *file;

	if (!path)
		return -1;
	file = fopen(path, "r");
	if (!file)
		return 0;
	snprintf(pid, sizeof(pid), "%d ", (int)getpid());
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, pid, strlen(pid)) == 0 && strstr(line, text))
			n++;
	fclose(file);
	return n;
}

#endif
