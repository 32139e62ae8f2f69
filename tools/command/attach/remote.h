/* sys.remote_exec of CPython 3.14 and later: the interpreter runs a script of ours. */
#ifndef FTSAN_TOOLS_REMOTE_H
#define FTSAN_TOOLS_REMOTE_H

#include <stdbool.h>

#include "attach/target.h"

/* What the main thread does, which alone runs such scripts. */
enum ftsan_main { FTSAN_MAIN_BUSY, FTSAN_MAIN_WAITS, FTSAN_MAIN_STOPPED };

/* Looks at it for some hundredths of a second. One that is not to be seen is busy. */
enum ftsan_main ftsan_remote_main(const struct ftsan_target *target);

/* The script's text, malloc'ed: it loads the library and calls its function. */
char *ftsan_remote_script(const char *library, const char *function, const char *request,
			  const char *status);

/**
 * struct ftsan_remote - a script to run
 * @python:  who calls sys.remote_exec
 * @script:  path, readable by the process
 * @seconds: bound on the wait
 * @begun:   has it been run? Given @post
 */
struct ftsan_remote {
	const char *python;
	const char *script;
	unsigned seconds;
	bool (*begun)(const void *post);
	const void *post;
};

/**
 * ftsan_remote_exec() - have it run
 * @keep: set when the script's file has to stay: the interpreter may come for it yet
 *
 * When nobody comes by in time, an empty script takes its place: what the interpreter
 * opens, some day, is there then, and does nothing.
 *
 * Return: 0; -ETIMEDOUT; -ENOTSUP: the call was refused.
 */
int ftsan_remote_exec(const struct ftsan_target *target,
		      const struct ftsan_remote *remote, bool *keep);

#endif
