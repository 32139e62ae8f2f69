/* A program's output, for the commands that ask one a question. */
#ifndef FTSAN_TOOLS_CAPTURE_H
#define FTSAN_TOOLS_CAPTURE_H

#include <stdbool.h>

#include "launch/environment.h"

/**
 * struct ftsan_capture - what came of it
 * @out, @err:   NUL-terminated, cut at 64 KiB each; owned, never NULL
 * @status:      as a shell has it: the exit status, or 128 and the signal
 * @timed_out:   it was killed because it took too long
 */
struct ftsan_capture {
	char *out;
	char *err;
	int status;
	bool timed_out;
};

/**
 * ftsan_capture_run() - run a program, without input, to its end
 * @argv:        NULL-terminated; looked up in PATH
 * @environment: added to ours; may be NULL
 * @seconds:     after which it is killed
 *
 * Return: 0, and @capture is to be released; -errno when it can't be started.
 */
int ftsan_capture_run(struct ftsan_capture *capture, char *const *argv,
		      const struct ftsan_environment *environment, int seconds);
void ftsan_capture_release(struct ftsan_capture *capture);

#endif
