/* The command under test as a child process, as a shell would run it. */
#ifndef FTSAN_TOOLS_CHILD_H
#define FTSAN_TOOLS_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "launch/environment.h"

/* struct ftsan_child - @wait_status is that of waitpid(2), once it has ended */
struct ftsan_child {
	pid_t pid;
	int wait_status;
};

/**
 * ftsan_child_start() - run a command
 * @argv:        NULL-terminated; looked up in PATH
 * @environment: added to ours
 *
 * The child stays in our process group, so the terminal's keys reach it. From here on
 * SIGINT and SIGQUIT are ignored here; SIGTERM and SIGHUP are passed on to the child. The
 * child has the signal state that this process was started with.
 *
 * Context: once in a process.
 * Return:  0; -errno of the exec or the fork.
 */
int ftsan_child_start(struct ftsan_child *child, char *const *argv,
		      const struct ftsan_environment *environment);

/* Says what ftsan_child_start() failed of. Return: the exit status for it. */
int ftsan_child_not_started(const struct ftsan_child *child, const char *command,
			    int error);

/* Waits for its end, @milliseconds at most; true if it has ended. */
bool ftsan_child_wait(struct ftsan_child *child, int milliseconds);

/* What a shell would call it: the exit status, or 128 and the signal. */
int ftsan_child_status(const struct ftsan_child *child);

#endif
