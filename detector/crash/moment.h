/* What a stack says of the moment, by the names of the functions that run innermost. */
#ifndef FTSAN_CRASH_MOMENT_H
#define FTSAN_CRASH_MOMENT_H

#include <stdbool.h>

#include "stacks/stacks.h"

/* All of these: async-signal-safe; read symbol tables. */

/* In a function that hands out memory: libc's, or one of the interpreter's allocators? */
bool ftsan_moment_allocates(const struct ftsan_stack *stack);

/* Deep in libc's free() or realloc(), past the first look at what it was given? */
bool ftsan_moment_frees(const struct ftsan_stack *stack);

/* Does the thread wait for a lock: is it kept from what it wants to do? */
bool ftsan_moment_waits(const struct ftsan_stack *stack);

/* In libc's pthread_mutex_lock() or the like; in the interpreter's _PyParkingLot_Park(). */
bool ftsan_moment_mutex(const struct ftsan_stack *stack);
bool ftsan_moment_parked(const struct ftsan_stack *stack);

#endif
