/*
 * Calling on one thread: a SIGTRAP that is queued for it, and says whose it is, which
 * round it belongs to and which number the thread has in that.
 *
 * Context of everything: async-signal-safe.
 */
#ifndef FTSAN_PRELOAD_SIGNAL_CALL_H
#define FTSAN_PRELOAD_SIGNAL_CALL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Who calls. */
enum ftsan_caller { FTSAN_CALLER_DYING, FTSAN_CALLER_VISIT };

/* @number: less than 65536. Return: 0; -errno: the thread is gone, or can't be told. */
int ftsan_signal_call(enum ftsan_caller caller, uint32_t round, uint32_t number, int tid);

/**
 * ftsan_signal_is_call() - is it a call of that caller's?
 * @round:  the present one
 * @number: gets the thread's; UINT32_MAX when the call is of an earlier round
 */
bool ftsan_signal_is_call(enum ftsan_caller caller, uint32_t round, int sig,
			  const siginfo_t *info, uint32_t *number);

#endif
