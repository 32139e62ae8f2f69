/* The word that is watched for a held access. Private to the room. */
#ifndef FTSAN_SAMPLER_HOLD_WORD_H
#define FTSAN_SAMPLER_HOLD_WORD_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"
#include "sampler/held.h"

/*
 * The part of the access that is watched: ftsan_watch_part().
 */
void ftsan_hold_choose(struct ftsan_hold *hold, const struct ftsan_access *access,
		       uint32_t turn);

/* Where the other items of what it is one of may be: the object or block around it. */
void ftsan_hold_look_around(struct ftsan_hold *hold, const struct ftsan_memory *memory);

/* How many bytes the access is from it; 0: at it, or outside of what is around it. */
uint64_t ftsan_hold_distance(const struct ftsan_hold *hold,
			     const struct ftsan_access *access);

/* Its value, not by an instruction of ours, which would hit the watch. False: unreadable.
 * Async-signal-safe. */
bool ftsan_hold_read(const struct ftsan_hold *hold, uint64_t *value);

/*
 * What an access that is longer than the watched word covers: noted before the thread is
 * held, and compared when somebody has come. The same.
 */
void ftsan_hold_note_whole(struct ftsan_hold *hold);
void ftsan_hold_compare_whole(struct ftsan_hold *hold);

/*
 * A thread that is held before a load is not harmed by a store of the value that it finds
 * anyway, and the next one may be of another value: does the other go on unrecorded? Not
 * for long, as each traps. @same: it has stored that, or is about to.
 */
bool ftsan_hold_passes(struct ftsan_hold *hold, bool same);

/* Has who came by the watchpoint, and has stored already, stored what was there? */
bool ftsan_hold_stored_again(const struct ftsan_hold *hold);

#endif
