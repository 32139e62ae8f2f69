/* Which threads have to do with each other at that moment. Private to the room. */
#ifndef FTSAN_CRASH_PAIRING_H
#define FTSAN_CRASH_PAIRING_H

#include <stdbool.h>

#include "crash/death.h"
#include "rules/rules.h"

/**
 * struct ftsan_pairing - whom a finding is about
 * @first:    number of a witness
 * @second:   the one that has most in common with it, @first: none has anything
 * @third:    has that in common with the second, not with the first; @first: none
 * @relation: of the first and the second, or of the second and the third
 * @waits:    of the two one waits for a lock
 */
struct ftsan_pairing {
	unsigned first, second, third;
	enum ftsan_relation relation;
	bool waits;
};

/* All of these: async-signal-safe. */

/* Of witness @first and whoever has most in common with it. */
void ftsan_pairing_nearest(struct ftsan_pairing *out, const struct ftsan_death *death,
			   unsigned first);

/* Two besides the first that have more in common than it has with anyone: false and
 * nothing is changed where no two have. */
bool ftsan_pairing_others(struct ftsan_pairing *out, const struct ftsan_death *death);

/* Of all threads the two that have most in common, in the order in which they are. */
void ftsan_pairing_any(struct ftsan_pairing *out, const struct ftsan_death *death);

/* Is it one that explains something? Without locks, at one thing. */
bool ftsan_pairing_says(const struct ftsan_pairing *pairing);

#endif
