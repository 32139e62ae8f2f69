/*
 * Registers of an interrupted instruction, out of a signal handler's context argument
 * (a ucontext_t). Registers have an index: that of the context's own array. The processor
 * numbers them otherwise in its instructions.
 *
 * Context: handlers, async-signal-safe, all of it.
 */
#ifndef FTSAN_BASE_CONTEXT_H
#define FTSAN_BASE_CONTEXT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "base/safe_read.h"

/* Where the instruction is, or (after a trap) the one behind it. */
static inline uintptr_t ftsan_context_ip(const void *ucontext);
/* After the trap of a FTSAN_CPU_BREAKPOINT: where that is. */
static inline uintptr_t ftsan_context_breakpoint(const void *ucontext);
static inline void ftsan_context_set_ip(void *ucontext, uintptr_t ip);
static inline uintptr_t ftsan_context_sp(const void *ucontext);

/* Where a function is about to begin: its third argument. */
static inline uintptr_t ftsan_context_third(const void *ucontext);

/* The value of the register with that index; and @delta added to it. */
static inline uintptr_t ftsan_context_register(const void *ucontext, int index);
static inline void ftsan_context_move(void *ucontext, int index, intptr_t delta);

/* The index of the general register that instructions call @number; -1: none. */
static inline int ftsan_context_index(unsigned number);

/* The thread is single-stepped; and whether it is to be from the handler's return on. */
static inline bool ftsan_context_steps(const void *ucontext);
static inline void ftsan_context_set_steps(void *ucontext, bool steps);

/*
 * A step of the interrupted thread, with what it had blocked in @mask meanwhile.
 * Asynchronous signals wait for the trap: their handlers would run with a page open or a
 * register moved. Faults of the instruction itself come through.
 */
static inline void ftsan_context_begin_step(void *ucontext, uint64_t *mask)
{
	sigset_t *signals = &((ucontext_t *)ucontext)->uc_sigmask;
	const uint64_t blocked =
		~(1ull << (SIGSEGV - 1) | 1ull << (SIGTRAP - 1) | 1ull << (SIGBUS - 1) |
		  1ull << (SIGILL - 1) | 1ull << (SIGFPE - 1));

	memcpy(mask, signals, sizeof(*mask));
	memcpy(signals, &blocked, sizeof(blocked));
	ftsan_context_set_steps(ucontext, true);
}

static inline void ftsan_context_end_step(void *ucontext, const uint64_t *mask)
{
	memcpy(&((ucontext_t *)ucontext)->uc_sigmask, mask, sizeof(*mask));
	ftsan_context_set_steps(ucontext, false);
}

/* Of a page fault: the access was a store; the fetch of an instruction. */
static inline bool ftsan_context_writes(const void *ucontext);
static inline bool ftsan_context_fetches(const void *ucontext);

/* Where a function is about to begin: the address that it will return to; false: it can't
 * be read. And the context is made that of the call itself, in the caller. */
static inline bool ftsan_context_caller(const void *ucontext, uintptr_t *back);
static inline void ftsan_context_uncall(void *ucontext, uintptr_t back);

/* Was a futex(2) interrupted, and on which word? */
static inline bool ftsan_context_futex(const void *ucontext, uintptr_t *word);

/* Fills in of @here, which is zero, what an unwinder needs to begin in the caller. */
static inline void ftsan_context_here(ucontext_t *here);

#if defined(__x86_64__)
#include "base/context_x86_64.h"
#else
#error "docs/internals.md, Another architecture, says what has to be there"
#endif

#endif
