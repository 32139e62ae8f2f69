/*
 * Having a thread of another process call one function, at a point where it can.
 *
 * One thread is stopped for some microseconds, by ptrace. A small piece of code is put
 * where no code was (ftsan_target_cave()), the thread's registers onto its own stack, and
 * the thread is sent to the code, which loads libftsan.so, calls the function and takes
 * up where the thread was, all by itself. So nothing has to come back, and nobody who is
 * killed meanwhile leaves a breakpoint or half a call behind.
 */
#ifndef FTSAN_TOOLS_INJECT_H
#define FTSAN_TOOLS_INJECT_H

#include "attach/target.h"

/**
 * struct ftsan_call - what to call
 * @library:  libftsan.so, absolute
 * @function: of it: int (*)(const char *)
 * @request:  its argument
 * @status:   file that "failed: ..." goes to when the library can't be loaded
 */
struct ftsan_call {
	const char *library;
	const char *function;
	const char *request;
	const char *status;
};

/**
 * ftsan_inject() - send a thread to it
 * @seconds: how long to look for a thread
 *
 * Return: 0: a thread is on its way. -ETIMEDOUT: none came to such a point; -EPERM and
 *         others of ptrace: nothing was changed; the reason was printed.
 */
int ftsan_inject(const struct ftsan_target *target, const struct ftsan_call *call,
		 unsigned seconds);

#endif
