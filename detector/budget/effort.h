/*
 * Clocks that budgets go by: what engines may spend is a share of them.
 *
 * They run as the program does while its threads come to code where they have not been
 * before. Once they only repeat themselves, what can be seen has mostly been seen, and
 * all but one run at a part of that (option steady). While the program waits they go on,
 * but slowly: one that hardly runs must not spend what it does not use.
 *
 * Context: ftsan_effort_init() and _begin() at start and in the child of a fork, while
 * there is one thread; the others any thread, async-signal-safe.
 */
#ifndef FTSAN_EFFORT_CLOCK_H
#define FTSAN_EFFORT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* @steady_percent: at what part of their speed they run in a steady program; 100: always
 * at full speed. */
void ftsan_effort_init(uint32_t steady_percent);

/* Both begin at 0, in a program that is all new. */
void ftsan_effort_begin(void);

/*
 * Somebody tells of news from now on. Until then all of the program counts as new: one
 * that nobody looks at is not steady.
 */
void ftsan_effort_watched(void);

/* A thread is at an instruction where none has been before. */
void ftsan_effort_new_code(void);
/* A thread has begun. It may meet others in code that is well known. */
void ftsan_effort_new_thread(void);

/* Does the program only repeat itself just now? */
bool ftsan_effort_is_steady(void);

/* Of the processor's time of all threads. For what costs such time. */
uint64_t ftsan_effort_cpu_ns(void);
/* Of the time by the wall clock. For what holds threads up, and for what comes at a rate.
 */
uint64_t ftsan_effort_run_ns(void);
/* The same, new or not. For what is likely to be raced for: that is never too well known.
 */
uint64_t ftsan_effort_full_ns(void);

#endif
