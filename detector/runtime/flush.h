/*
 * When the coverage is written while the process goes on, so that one that is killed has
 * told what it watched; and who may write, as all records are made in one buffer.
 */
#ifndef FTSAN_FLUSH_H
#define FTSAN_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

/* Begins anew: at start, and in the child of a fork. Nobody is writing then. */
void ftsan_flush_begin(void);

/* Is it time, and did anything happen since the last time? Says so to one caller only.
 * Every two seconds at first, every ten in a process that has run for long. Any context.
 */
bool ftsan_flush_due(void);

/**
 * ftsan_flush_enter() - the calling thread is about to write records
 * @wait_ns: for another one, which does not take long
 *
 * Return: false: it still writes. Who is about to end the process goes on all the same.
 * Async-signal-safe. ftsan_flush_leave() when done.
 */
bool ftsan_flush_enter(uint64_t wait_ns);
void ftsan_flush_leave(void);

#endif
