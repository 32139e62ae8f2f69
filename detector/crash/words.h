/* The end of a process in words. Private to the room. */
#ifndef FTSAN_CRASH_WORDS_H
#define FTSAN_CRASH_WORDS_H

#include "crash/death.h"
#include "crash/fault.h"
#include "crash/pairing.h"

/* "SIGSEGV"; "a signal" for those that are not deadly by themselves. Pure. */
const char *ftsan_signal_name(int signal);

/* Context of all: async-signal-safe, one caller in a process at a time. Texts stay until
 * the next call of the same function, or of the other one that makes a detail. */

/* "SIGSEGV in A.x while thread 7 was in A.y of the same object". */
const char *ftsan_crash_title(const struct ftsan_death *death,
			      const struct ftsan_pairing *pairing);

/* "read of 8 bytes at [rbx+0x18]: rbx = 0x0 is NULL", or what was said before. */
const char *ftsan_crash_detail(const struct ftsan_death *death,
			       const struct ftsan_fault *fault);

/* "thread 7 waits for the lock at 0x1, which thread 8 holds; ..."; "": none is known. */
const char *ftsan_crash_waits(const struct ftsan_death *death);

#endif
