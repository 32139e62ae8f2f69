/*
 * Calling code that may fault on addresses it should have checked (libunwind).
 */
#ifndef FTSAN_STACK_GUARD_H
#define FTSAN_STACK_GUARD_H

#include <stdbool.h>

/**
 * ftsan_guarded_call() - call @fn(@argument); a fault in it ends the call
 * @fn: owns nothing at the places where it may fault, because it is left there as by
 *      longjmp(); a lock that it holds is let go of by ftsan_stack_on_escape()'s function
 *
 * Context: any thread, async-signal-safe; needs a handler that calls
 *          ftsan_stack_fixup(). Does not nest: a call inside a call runs nothing.
 * Return:  true when @fn came back by itself.
 */
bool ftsan_guarded_call(void (*fn)(void *), void *argument);

#endif
