/*
 * libunwind without system calls of its own.
 *
 * Its pipe: libunwind checks addresses by writing a byte from there into a pipe, which
 * it opens at its first use and keeps. The descriptors would be the lowest free ones of
 * the program, and when the program closes every descriptor and opens its own files
 * under those numbers, libunwind would read from and write into these.
 *
 * Its signal masks: libunwind blocks all signals whenever it takes a lock, which is two
 * system calls a frame or more. Where signals are blocked for the whole walk already
 * (ftsan_stack_walking()), there is nothing to do.
 *
 * Its locks: a walk may be ended by a fault while it holds one. It is let go of then, or
 * every later walk would wait for it. And a walk does not wait for one for long: its
 * thread may hold what the owner waits for.
 */
#ifndef FTSAN_PRELOAD_UNWIND_CALLS_H
#define FTSAN_PRELOAD_UNWIND_CALLS_H

#include <signal.h>

typedef int (*ftsan_mask_function)(int how, const sigset_t *set, sigset_t *old);

/*
 * Answers libunwind's pipe calls with ftsan_safe_read(): no descriptor, no system call;
 * and its sigprocmask() during a walk of ours by doing nothing. Walks that somebody else
 * makes with the same libunwind block signals as ever.
 * @inside: an address in libunwind, which has not been used yet and has no lazy slots.
 * @libcs:  libc's sigprocmask(), where ours has another address
 * Context: activation.
 */
void ftsan_unwind_calls_replace(const void *inside, ftsan_mask_function libcs);

#endif
