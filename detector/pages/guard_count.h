/* How many buffers that lived long were sealed, for the coverage record. */
#ifndef FTSAN_GUARD_COUNT_H
#define FTSAN_GUARD_COUNT_H

struct ftsan_slot;

/* Counts a buffer whose life ends, if it was an old one. Normal context. */
void ftsan_guard_count_end(const struct ftsan_slot *slot);

#endif
