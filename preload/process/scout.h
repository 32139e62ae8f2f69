/*
 * The scout: the one thread of ours, which gives the detector its periods.
 *
 * It exists only while the program has threads of its own, or an operation that is
 * watched has to be looked at from outside. CPython counts the threads
 * of the process right after fork() and warns, and unshare and setns refuse a process
 * with more than one, so it is gone, from the kernel's list too, before these.
 */
#ifndef FTSAN_PRELOAD_SCOUT_H
#define FTSAN_PRELOAD_SCOUT_H

#include <stdbool.h>
#include <stdint.h>

/* Starts it unless it runs. Context: normal context. Failure is retried next time. */
void ftsan_scout_start(void);

/* Keeps it from being started, or allows it again: around a detach, and an attach. */
void ftsan_scout_forbid(bool forbid);

/* Stops it until it is started again. Waits like ftsan_scout_pause(). */
void ftsan_scout_stop(void);

/**
 * ftsan_scout_pause() - stop it and keep it from being started
 *
 * Returns when the kernel has forgotten the thread, or after a bounded wait. No
 * cancellation point: this runs inside fork.
 */
void ftsan_scout_pause(void);
/* Undoes the pause; starts it again if the program has other threads. */
void ftsan_scout_resume(void);
/* In the child of a fork, instead of resume: there is none. */
void ftsan_scout_fork_child(uint32_t parent_tid);

/* The scout's kernel thread id; 0 or less: there is none. Async-signal-safe. */
int ftsan_scout_tid(void);

#endif
