/* Who holds the lock that a thread waits for, and circles of that. Private to the room.
 */
#ifndef FTSAN_CRASH_HOLDER_H
#define FTSAN_CRASH_HOLDER_H

#include <stdbool.h>

#include "crash/death.h"

/**
 * struct ftsan_holder - of a lock
 * @by:   number of the witness
 * @sure: by the lock itself, or on record; else it works with the object that the lock is
 *        in, or of, or waits in the module whose static the lock is, and nobody else does
 *        who does not wait for it
 */
struct ftsan_holder {
	unsigned by;
	bool sure;
};

/* Of the lock that witness @i waits for. False: it waits for none, or nobody is known.
 * Async-signal-safe. */
bool ftsan_holder_of(struct ftsan_holder *out, const struct ftsan_death *death,
		     unsigned i);

/**
 * struct ftsan_circle - threads that wait for each other
 * @n:    how many, 0: there is no circle
 * @a, @b: two of them, one after the other; the same one when @n is 1
 * @sure: all of it is
 */
struct ftsan_circle {
	unsigned n, a, b;
	bool sure;
};

/* Async-signal-safe. */
void ftsan_circle_find(struct ftsan_circle *out, const struct ftsan_death *death);

#endif
