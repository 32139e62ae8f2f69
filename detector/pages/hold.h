/*
 * Buffers that operations work on: published when a second thread comes to them, sealed
 * as long as a watched operation lasts.
 *
 * Context of everything: normal context, any thread.
 */
#ifndef FTSAN_HOLD_H
#define FTSAN_HOLD_H

#include <stdbool.h>
#include <stdint.h>

/* An operation on the buffer's object is entered: publishes it at once if the calling
 * thread is not its owner. Return: has any thread but the owner used it so far? Normal
 * context. */
bool ftsan_guard_enter(const void *pointer);

/**
 * ftsan_guard_hold() - seal a buffer for the length of an operation
 * @generation: set; for ftsan_guard_unhold()
 *
 * Holds of several operations and threads count. A buffer that was published before
 * stays so afterwards; others are unsealed by the last unhold.
 *
 * Context: normal context. Return: false when it is not sealed now (the bound on sealed
 * pages, or another thread is about to change it): then there is nothing to undo.
 */
bool ftsan_guard_hold(const void *pointer, uint64_t *generation);
void ftsan_guard_unhold(const void *pointer, uint64_t generation);

#endif
