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
#include <sys/types.h>

/**
 * struct ftsan_unwind_libc - libc's functions of which we export one of our own
 */
struct ftsan_unwind_libc {
	int (*sigprocmask)(int how, const sigset_t *set, sigset_t *old);
	ssize_t (*write)(int fd, const void *bytes, size_t n);
};

/*
 * Answers libunwind's pipe calls with ftsan_safe_read(): no descriptor, no system call;
 * and its sigprocmask() during a walk of ours by doing nothing. Walks that somebody else
 * makes with the same libunwind block signals as ever.
 * @inside: an address in libunwind, which has not been used yet and has no lazy slots.
 * @libc:   what it has bound to where we were loaded late
 * Context: activation.
 */
void ftsan_unwind_calls_replace(const void *inside, const struct ftsan_unwind_libc *libc);

#endif
