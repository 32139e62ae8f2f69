/*
 * Visiting every thread of the program, from inside: what only a thread itself can
 * change (its alternate stack, its signal mask, what its processor watches) is changed in
 * a handler of ours, which the thread is sent a SIGTRAP for. For an attach, whose threads
 * were there before us, and for a detach, whose threads stay when we leave.
 *
 * A system call that a visit interrupts is restarted, or fails with EINTR where the
 * kernel restarts none, as by any signal.
 */
#ifndef FTSAN_PRELOAD_VISIT_H
#define FTSAN_PRELOAD_VISIT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum ftsan_visit {
	FTSAN_VISIT_ADOPT,   /* it gets an alternate stack, and a mask that lets us in */
	FTSAN_VISIT_RELEASE, /* it gives them back, and is out of the engines for good */
	FTSAN_VISIT_STAND,   /* it waits (ftsan_visit_together()) */
};

/* struct ftsan_visited - @left: threads that did not answer; @tid: one of these */
struct ftsan_visited {
	unsigned visited, left;
	int tid;
};

/**
 * ftsan_visit_threads() - all but the caller, those too that begin meanwhile
 * @wait_ns: bound on the whole; past half of it, a thread inside of an operation counts
 *           as out
 *
 * Context: normal context, SIGTRAP is ours, one caller at a time; the scout is stopped.
 */
void ftsan_visit_threads(enum ftsan_visit visit, uint64_t wait_ns,
			 struct ftsan_visited *out);

/**
 * struct ftsan_rendezvous - something to be done while every other thread stands still
 * @may:  may it be done with a thread standing at @ip, its stack at @sp? Asked for each
 * @work: does it: no lock, no malloc, nothing of CPython's, because a thread may stand
 *        in the middle of any of these
 */
struct ftsan_rendezvous {
	bool (*may)(uintptr_t ip, uintptr_t sp, void *argument);
	void (*work)(void *argument);
	void *argument;
};

/*
 * All threads wait in their handlers, some tens of milliseconds at most, for @work.
 * Context: as above. Return: false: they did not come together in time, or one stands
 * where it must not. Nothing was done.
 */
bool ftsan_visit_together(const struct ftsan_rendezvous *rendezvous);

/* Was a thread asked that has not answered at all? Then SIGTRAP has to stay ours. */
bool ftsan_visit_is_due(void);

/* SIGTRAP's handler asks first: was it a visit? Async-signal-safe. */
bool ftsan_visit_signal(int sig, const siginfo_t *info, void *ucontext);

/**
 * ftsan_visit_count() - threads of the process but for the caller
 * @blocking: gets a thread that blocks SIGTRAP, which no visit would reach, or 0
 */
unsigned ftsan_visit_count(int *blocking);

#endif
