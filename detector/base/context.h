/* Registers of an interrupted instruction, out of a signal handler's context argument. */
#ifndef FTSAN_BASE_CONTEXT_H
#define FTSAN_BASE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* Where the instruction is, or (after a trap) the one behind it. */
static inline uintptr_t ftsan_context_ip(const void *ucontext)
{
	return (uintptr_t)((const ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
}

/* The thread goes on there when the handler returns. */
static inline void ftsan_context_set_ip(void *ucontext, uintptr_t ip)
{
	((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP] = (greg_t)ip;
}

/* The thread is single-stepped: x86's trap flag was set when it was interrupted. */
static inline bool ftsan_context_steps(const void *ucontext)
{
	enum { TRAP_FLAG = 0x100 };
	const ucontext_t *context = ucontext;

	return (context->uc_mcontext.gregs[REG_EFL] & TRAP_FLAG) != 0;
}

#endif
