/*
 * Faults that handlers of the program have got. Whether the process dies of one is not
 * known yet: a handler may put the former action back and send the signal anew, and then
 * where it came from is known here only; or it recovers, by its return or by
 * siglongjmp().
 *
 * Context of everything: async-signal-safe.
 */
#ifndef FTSAN_PRELOAD_SUSPECT_H
#define FTSAN_PRELOAD_SUSPECT_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "crash/ask.h"

/**
 * struct ftsan_suspect - a fault that a handler of the program has got
 * @whose: thread, as in ftsan_sys_self(); 0: nobody's
 * @frame: of the signal: the handler runs below it
 * @asking, @asked: the other threads are just being asked; have answered already
 */
struct ftsan_suspect {
	_Atomic uint64_t whose;
	int sig;
	siginfo_t info;
	ucontext_t uc;
	uintptr_t frame;
	bool asking, asked;
	struct ftsan_asked answers;
};

/*
 * The calling thread's fault, from now on until it is forgotten. NULL: there is no room,
 * or the last one is just being asked about.
 */
struct ftsan_suspect *ftsan_suspect_note(int sig, const siginfo_t *info, const void *uc);

/* The fault in whose handler the calling thread was when it was sent @sig; or NULL. */
struct ftsan_suspect *ftsan_suspect_of(int sig, const siginfo_t *info, const void *uc);

/* A handler of the calling thread has come back. */
void ftsan_suspect_forget(void);

#endif
