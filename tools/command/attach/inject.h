/*
 * Having a thread of another process call one function, at a point where it can.
 *
 * One thread is stopped for some microseconds, by ptrace. A small piece of code is put
 * where no code was (ftsan_target_cave()), the thread's registers onto its own stack, and
 * the thread is sent to the code, which loads libftsan.so, calls the function and takes
 * up where the thread was, all by itself. So nothing has to come back, and nobody who is
 * killed meanwhile leaves a breakpoint or half a call behind.
 *
 * The point. The code calls dlopen, which takes the loader's lock and malloc's: the
 * thread must be in neither. It is one that
 *   - waits in a system call that neither makes (poll, accept, sleep, a semaphore), or
 *   - is in the code of the interpreter or an extension module, which malloc and the
 *     loader never call.
 * It has stack left, and blocks no signal: it is in no handler that interrupted malloc.
 * CPython's own locks do not matter: what needs CPython is done by a new thread.
 */
#ifndef FTSAN_TOOLS_INJECT_H
#define FTSAN_TOOLS_INJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "attach/target.h"

/* The loader needs some 20 KB of stack, the registers up to 13. */
enum { FTSAN_INJECT_STACK = 128 * 1024 };

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

/**
 * struct ftsan_stop - a stopped thread, as far as the decision goes
 * @in_syscall: it is in system call @number with these arguments
 * @result: what the call is about to return
 * @in_python: its next instruction is the interpreter's or an extension's
 * @blocked:   signals that it blocks
 * @stack_room: bytes below its stack pointer
 */
struct ftsan_stop {
	bool in_syscall;
	long number, result;
	uint64_t second; /* the call's second argument */
	bool in_python;
	uint64_t blocked;
	uint64_t stack_room;
};

/* May the code run here? Pure. */
bool ftsan_inject_may(const struct ftsan_stop *stop);

#endif
