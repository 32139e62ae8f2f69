/*
 * Faults in the arena: what a fault means by the slot's state, and who deals with it.
 */
#ifndef FTSAN_TRAP_H
#define FTSAN_TRAP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Faults of instructions in [begin, end) are ftsan's own and never findings. */
void ftsan_trap_set_own_text(uintptr_t begin, uintptr_t end);

/* Context: SIGSEGV and SIGTRAP handlers. Return: true when the signal was ours. */
bool ftsan_trap_fault(const siginfo_t *info, void *ucontext);
bool ftsan_trap_step(void *ucontext);

#endif
