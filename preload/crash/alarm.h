/* A signal for the thread that reports, should that take too long. */
#ifndef FTSAN_PRELOAD_ALARM_H
#define FTSAN_PRELOAD_ALARM_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* A SIGSEGV for the calling thread after @ns, and again every second. One thread at a
 * time. Context of all: async-signal-safe. */
void ftsan_alarm_arm(uint64_t ns);
void ftsan_alarm_disarm(void);

/* Is that the signal? */
bool ftsan_alarm_is(const siginfo_t *info);

#endif
