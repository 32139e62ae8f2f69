/* The instruction that failed: what it accessed, by which register. */
#ifndef FTSAN_FAULT_H
#define FTSAN_FAULT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "crash/pointer.h"
#include "freed/freed.h"
#include "rules/rules.h"

/**
 * struct ftsan_fault - a deadly signal, looked at
 * @facts:     for the rules; @facts.relation is left to the caller
 * @access:    what was accessed; valid when @has_access
 * @reg:       register that held the bad pointer, "" when there is none
 * @value:     what was in it
 * @operand:   "[rbx+0x18]", "" when it is not known
 * @pointer:   what that pointer is
 * @freed:     memory that was used after it was freed; valid when @has_freed
 * @sender:    pid of who sent the signal, 0: nobody did
 */
struct ftsan_fault {
	struct ftsan_crash_facts facts;
	struct ftsan_access access;
	bool has_access;
	const char *reg;
	uintptr_t value;
	char operand[48];
	struct ftsan_pointer pointer;
	struct ftsan_freed_story freed;
	bool has_freed;
	int sender;
};

/**
 * ftsan_fault_look() - fill @out
 * @message: what glibc has to say about an abort; NULL: nothing
 *
 * Context: async-signal-safe, on the faulting thread or another.
 */
void ftsan_fault_look(struct ftsan_fault *out, int sig, const siginfo_t *info,
		      const void *ucontext, const char *message);

#endif
