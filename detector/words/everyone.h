/*
 * Watchpoints that all threads have: whoever makes the access gets the signal.
 *
 * One perf event each, opened before the second thread begins: threads that are made
 * later inherit it. Who holds a thread up and wants to know who comes to its word takes
 * one, aims it, and gives it back. The sampler and the statics do so in turn; what a
 * signal carries says whose it is.
 */
#ifndef FTSAN_EVERYONE_H
#define FTSAN_EVERYONE_H

#include <stdbool.h>

#include "words/watch_perf.h"

enum { FTSAN_EVERYONE = 2, FTSAN_EVERYONE_NONE = -1 };

/**
 * ftsan_everyone_init() - are they to be had?
 * @n: how many are wanted; so many registers are no single thread's any more
 * @attached: threads are there already, and can't be given one
 *
 * Context: start-up, before ftsan_watch_init(). Return: 0 or -errno, refused.
 */
int ftsan_everyone_init(unsigned n, bool attached);

/* Opens those that are wanted, the first time in a process. Context: normal context, of
 * the one thread that all others come of, before it makes one. */
void ftsan_everyone_open(void);

/* Are any open? And what has been said last: 0 or -errno. Any context. */
bool ftsan_everyone_there(void);
int ftsan_everyone_error(void);

/*
 * Takes one that is free: its number, or FTSAN_EVERYONE_NONE. Whoever has taken it may
 * aim it and let it rest, and gives it back resting. Any thread; async-signal-safe.
 */
int ftsan_everyone_take(void);
void ftsan_everyone_give(int number);

/* @to: with @everyone. Return: 0 or -errno, nothing is watched then. */
int ftsan_everyone_aim(int number, const struct ftsan_perf_target *to);
void ftsan_everyone_rest(int number);

/* The child of a fork: events are the parent's. */
void ftsan_everyone_fork_child(void);

#endif
