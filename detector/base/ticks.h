/*
 * What ftsan_cpu_ticks() said, as a time: the rate is found out from how that clock and
 * ftsan_sys_now_ns() have moved since the start.
 */
#ifndef FTSAN_TICKS_H
#define FTSAN_TICKS_H

#include <stdint.h>

/* Context: start-up; a second call changes nothing. */
void ftsan_ticks_begin(void);

/* How long ago @ticks was. Any context. */
uint64_t ftsan_ticks_ago_ns(uint64_t ticks);

#endif
