/*
 * When buffers are sealed, and unsealed again: by age, by a foreign thread's entry, after
 * a cool-down. The calls for others are in guard.h; these are between guard.c and
 * publish.c.
 *
 * Context of everything: any thread; ftsan_publish_undone() and ftsan_guard_unseal() in
 * handlers, too.
 */
#ifndef FTSAN_PUBLISH_H
#define FTSAN_PUBLISH_H

#include <stdint.h>

#include "slot.h"

/* Scout periods since; 0 when it lies ahead, for a buffer that cools down. */
uint32_t ftsan_ticks_since(uint32_t tick);

/* The slot is PRIVATE: the scout shall look at it. */
void ftsan_publish_later(uint32_t slot);

/* A published slot's page is read/write again. */
void ftsan_publish_undone(const struct ftsan_slot *slot);

/* Published buffers of an allocation site (a bucket of them). */
uint32_t ftsan_publish_count(uint16_t site);

void ftsan_publish_fork_child(void);

#endif
