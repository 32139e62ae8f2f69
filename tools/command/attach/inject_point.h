/*
 * The point at which a thread can be sent off. The code calls dlopen, which takes the
 * loader's lock and malloc's: the thread must be in neither. It is one that
 *   - waits in a system call that neither makes (poll, accept, sleep, a semaphore), or
 *   - is in the code of the interpreter or an extension module, which malloc and the
 *     loader never call.
 * It has stack left, and blocks no signal: it is in no handler that interrupted malloc.
 * CPython's own locks do not matter: what needs CPython is done by a new thread.
 */
#ifndef FTSAN_TOOLS_INJECT_POINT_H
#define FTSAN_TOOLS_INJECT_POINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/target.h"

struct user_regs_struct;

/* The loader needs some 20 KB of stack, the registers up to 13. */
enum { FTSAN_INJECT_STACK = 128 * 1024 };

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

/* What ftsan_inject_may() asks for, of the stopped thread @tid. */
struct ftsan_stop ftsan_inject_describe(const struct ftsan_target *target, pid_t tid,
					const struct user_regs_struct *regs);

#endif
