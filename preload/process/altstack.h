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

#include <signal.h>
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

/**
 * ftsan_altstack_adopt() - a thread that was there before us gets one
 * @stack: for it, unless it has one of ours already
 * @frame: of the signal frame: what the thread uses, and from its return on will use
 * @sp:    the interrupted stack pointer
 * @taken: set when @stack is the thread's now
 *
 * Context: in a signal handler of the thread. Return: false while it is on a stack that
 *          can't be replaced for that reason.
 */
bool ftsan_altstack_adopt(void *stack, stack_t *frame, uintptr_t sp, bool *taken);

/* The other way round; our stack stays the thread's, for the next time. */
bool ftsan_altstack_release(stack_t *frame, uintptr_t sp);

/* Does @sp lie on the calling thread's alternate stack? Async-signal-safe. */
bool ftsan_altstack_holds(uintptr_t sp);

/*
 * Is the calling thread, which is at @sp, still in what has its @frame above? One may
 * have left a handler by siglongjmp(), and it shows in nothing else. Async-signal-safe.
 */
bool ftsan_altstack_within(uintptr_t frame, uintptr_t sp);

#endif
