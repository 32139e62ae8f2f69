/* What there is to be told when a process dies, or does not come to an end. */
#ifndef FTSAN_DEATH_H
#define FTSAN_DEATH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "crash/witness.h"

enum { FTSAN_SILENT_MAX = 32 };

/**
 * struct ftsan_death - what there is to be told
 * @signal:   number; 0: it hangs
 * @info, @ucontext: of the signal; NULL for a hang
 * @message:  glibc's or the interpreter's last words, NULL: none
 * @seconds:  hang: for how long it was waited
 * @witness:  @n_witnesses; the dying thread first
 * @silent:   threads that did not answer in time, @n_silent of them
 * @untold:   threads that were not asked: there are too many
 * @plain:    an attempt to tell more has failed: nothing is looked at
 */
struct ftsan_death {
	int signal;
	const siginfo_t *info;
	const void *ucontext;
	const char *message;
	uint32_t seconds;
	const struct ftsan_witness *witness;
	unsigned n_witnesses;
	const int *silent;
	unsigned n_silent;
	unsigned untold;
	bool plain;
};

#endif
