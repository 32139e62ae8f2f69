/*
 * Alternate signal stacks.
 *
 * Every thread gets one of ours, because a fault on a guarded page can happen with
 * little stack left, and the ones that programs install (faulthandler's) are too small
 * for a handler that unwinds. What the program asks for is remembered and reported
 * back, but its handlers run on ours, even when it wanted a larger one.
 */
#ifndef FTSAN_PRELOAD_ALTSTACK_H
#define FTSAN_PRELOAD_ALTSTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * ftsan_altstack_map() - memory for one thread: a guard page and the stack above it
 *
 * Return: lowest usable address, NULL without memory. The low end is free for the
 *         creator's use until the thread has called ftsan_altstack_enter().
 */
void *ftsan_altstack_map(void);
void ftsan_altstack_unmap(void *stack);

/* The calling thread starts using @stack. With @keep, what it has installed so far is
 * taken as the program's own request. */
void ftsan_altstack_enter(void *stack, bool keep);
/* The calling thread stops, and its stack is unmapped. Not on the stack itself. */
void ftsan_altstack_leave(void);

/* Does @sp lie on the calling thread's alternate stack? Async-signal-safe. */
bool ftsan_altstack_holds(uintptr_t sp);

#endif
