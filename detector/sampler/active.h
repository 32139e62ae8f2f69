/*
 * Which threads were at work a moment ago: a thread that is alone is not worth holding.
 * Private to the room. Any thread, async-signal-safe, lock-free.
 */
#ifndef FTSAN_SAMPLER_ACTIVE_H
#define FTSAN_SAMPLER_ACTIVE_H

#include <stdbool.h>
#include <stdint.h>

/* The thread of this record has begun, or has hit a site. */
void ftsan_active_note(uint32_t thread, uint64_t now_ns);

/* Was another one there in the last fifth of a second? */
bool ftsan_active_others(uint32_t thread, uint64_t now_ns);

/* Threads of the program that come, or are gone. The first one is counted already. */
void ftsan_active_count(int32_t more);
uint32_t ftsan_active_threads(void);

/* There is one, and nobody was at work. */
void ftsan_active_reset(void);

#endif
