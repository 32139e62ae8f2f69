/*
 * Faults in the arena: what a fault means by the slot's state, and who deals with it.
 */
#ifndef FTSAN_TRAP_H
#define FTSAN_TRAP_H

#include <signal.h>
#include <stdbool.h>

/* Context: SIGSEGV and SIGTRAP handlers. Return: true when the signal was ours. */
bool ftsan_trap_fault(const siginfo_t *info, void *ucontext);
bool ftsan_trap_step(void *ucontext);

#endif
