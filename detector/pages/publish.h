/*
 * When buffers are sealed: by age, which the scout or an allocation looks at.
 *
 * Context of everything, unless it says otherwise: normal context, any thread.
 */
#ifndef FTSAN_PUBLISH_H
#define FTSAN_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "pages/seal.h"

/* Publishes now, whatever the age; true if the page is sealed afterwards. */
bool ftsan_guard_publish(const void *pointer);

/* Some scout periods at once: publishes every buffer that lived through as many. Normal
 * context or the scout; a second caller returns at once. */
void ftsan_guard_tick(uint32_t periods);
/* Were there buffers at the last tick that wait for the next one, and may be published
 * then? */
bool ftsan_guard_waiting(void);
/* Called on allocations: ticks by the clock where no scout runs. */
void ftsan_guard_tick_if_due(void);

/* Stops and resumes allocation-driven ticks (a scout is at it). */
void ftsan_guard_scout_running(bool running);

/* fork: nobody is ticking, if that can be waited for. */
void ftsan_guard_fork_prepare(void);

/* From here on time counts for the budget: at each start, since an attach comes late. */
void ftsan_publish_begin(void);
void ftsan_publish_fork_child(void);

#endif
