/*
 * Another object's thread-local variable, read without the call that returns it.
 *
 * An executable's thread-local variables, and those of objects that are there from the
 * start, lie at the same distance from the thread pointer in every thread (ELF handling
 * for thread-local storage, 3.4: the static models). A function that does
 * nothing but return such a variable tells the distance in its code.
 */
#ifndef FTSAN_BASE_TLS_H
#define FTSAN_BASE_TLS_H

#include <stdint.h>

/**
 * ftsan_tls_getter() - where the variable is that a function returns
 * @function: address of code
 *
 * Context: start-up, normal context. Return: distance to the thread pointer, never 0 for
 * a variable; 0: the function does something else, or does it in another way.
 */
intptr_t ftsan_tls_getter(uintptr_t function);

/* The word at that distance. Context: any thread, async-signal-safe. */
static inline uintptr_t ftsan_tls_word(intptr_t offset);

/* pthread_self() without the call. Context: any thread, async-signal-safe. */
static inline uintptr_t ftsan_tls_self(void);

void ftsan_tls_restore(void);

/*
 * The thread's own address is kept in its descriptor, twice, where a program that runs
 * over the end of what lies below can overwrite it; and then nothing works that has to do
 * with errno, so a handler that has to tell of the death puts it right first. Context:
 * handlers, async-signal-safe; anything, while it does not use errno.
 */
static inline void ftsan_tls_mend(void);

#if defined(__x86_64__)
#include "base/tls_x86_64.h"
#else
#error "docs/internals.md, Another architecture, says what has to be there"
#endif

#endif
