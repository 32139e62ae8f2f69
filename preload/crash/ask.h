/*
 * Asking every thread of the process where it is and what it does, when the process is
 * about to die or does not come to an end: each answers in a handler of ours that a
 * SIGTRAP brings about. Nothing here allocates or takes a lock, because any thread may
 * hold any lock at that moment, and may never run again.
 */
#ifndef FTSAN_PRELOAD_ASK_H
#define FTSAN_PRELOAD_ASK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "crash/crash.h"

/**
 * struct ftsan_asked - the answers
 * @witness: @n, those who answered; the caller first
 * @silent:  @n_silent, those who did not in time
 * @untold:  more threads than there is room for
 */
struct ftsan_asked {
	struct ftsan_witness *witness;
	unsigned n;
	int silent[FTSAN_SILENT_MAX];
	unsigned n_silent;
	unsigned untold;
};

/* Reserves the room. Context: activation. False: no memory; only the caller answers. */
bool ftsan_ask_init(void);

/**
 * ftsan_ask_all() - ask all threads, and wait for the answers
 * @out:      filled; valid until the next call
 * @ucontext: where the caller was interrupted
 * @wait_ns:  for how long
 * @others:   false: only the caller is a witness
 *
 * Context: async-signal-safe, one caller at a time (the caller sees to that).
 */
void ftsan_ask_all(struct ftsan_asked *out, const void *ucontext, uint64_t wait_ns,
		   bool others);

/**
 * ftsan_ask_again() - ask those who have answered once more
 * @before: their last answers; not changed, and valid until the next call
 * @out:    gets the new ones; of who does not answer now, the one before
 * @wait_ns: for how long
 *
 * Those who stand still, by their last answers, are not asked. Context: as
 * ftsan_ask_all(). Return: false: there is nothing new to be had, @out is of no use.
 */
bool ftsan_ask_again(const struct ftsan_asked *before, struct ftsan_asked *out,
		     uint64_t wait_ns);

/*
 * A thread that waits in a handler of its own and will not be interrupted answers by
 * itself. Async-signal-safe.
 */
void ftsan_ask_answer(const void *ucontext);

/* SIGTRAP's handler asks: was it the question? Async-signal-safe. */
bool ftsan_ask_signal(int sig, const siginfo_t *info, void *ucontext);

#endif
