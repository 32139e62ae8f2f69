/*
 * A busy machine: the other threads hardly run while one is held. Private to the room.
 *
 * Context of everything: any thread, async-signal-safe; opens no file, whose number the
 * program could come to see.
 */
#ifndef FTSAN_SAMPLER_BUSY_H
#define FTSAN_SAMPLER_BUSY_H

#include <stdbool.h>
#include <stdint.h>

/* Counts processors. Context: start-up. */
void ftsan_busy_init(void);

/* Processor time of the process so far. */
uint64_t ftsan_busy_begin(void);

/* Since @begun it had less than @length_ns of it, and others compete for it. */
bool ftsan_busy_starved(uint64_t begun, uint64_t length_ns);

#endif
