/* A block that is freed again, or an object that is given back again. Private. */
#ifndef FTSAN_DOUBLE_FREE_H
#define FTSAN_DOUBLE_FREE_H

#include <stdbool.h>
#include <stdint.h>

/* Is the block or object at @address, which begins with a fill, held? Any context. */
bool ftsan_freed_is_held(uintptr_t address);

/**
 * ftsan_double_free_report() - the calling thread does it
 * @freed: frees the block; else gives back a reference
 *
 * Context: normal.
 */
void ftsan_double_free_report(uintptr_t address, bool freed);

/* Who was at a report may be a thread of the parent. */
void ftsan_double_free_fork_child(void);

#endif
