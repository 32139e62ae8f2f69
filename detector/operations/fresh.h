/*
 * Which arrays are older than the operation that the thread is in: a store to one that it
 * has just made is nobody else's business.
 */
#ifndef FTSAN_FRESH_H
#define FTSAN_FRESH_H

#include <stdbool.h>
#include <stdint.h>

struct ftsan_thread;

/* An array has come into being at @header in this thread. */
void ftsan_operation_born(uintptr_t header);
/* Something may have come into being unnoticed: until the outermost operation of this
 * thread ends, only its own arguments are taken for older than it. */
void ftsan_operation_born_unnoticed(void);

/* Was it made since the outermost operation of the thread was entered, or is that not
 * known? For the thread itself, handlers included. */
bool ftsan_operation_is_fresh(const struct ftsan_thread *thread, uintptr_t header);

#endif
