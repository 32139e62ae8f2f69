/*
 * A buffer that is freed although its object still uses it: a setter that gives an array
 * a new shape frees the old dims before it stores the pointer to the new ones. Whoever
 * looks at the array between the two uses freed memory; the free is held up for a moment
 * so that it shows.
 */
#ifndef FTSAN_FREE_WINDOW_H
#define FTSAN_FREE_WINDOW_H

#include <stdint.h>

/**
 * ftsan_free_window() - hold up a free that happens inside an operation on the object
 * @slot: QUARANTINED by the caller, page inaccessible
 *
 * Ends with the first late access (reported by ftsan_late_access()), or after the
 * length of a collision window; opens only if a second thread lives, and within the
 * budget of the collision windows.
 *
 * Context: normal context of the freeing thread; no lock of ours is held.
 */
void ftsan_free_window(uint32_t slot);

/* A late access was reported: whoever holds a free up goes on. Async-signal-safe. */
void ftsan_free_window_end(void);

#endif
