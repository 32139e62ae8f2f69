/* Registers of an interrupted instruction, out of a signal handler's context argument. */
#ifndef FTSAN_BASE_CONTEXT_H
#define FTSAN_BASE_CONTEXT_H

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

#endif
