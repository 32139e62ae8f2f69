/* A block that is freed again, or an object that is given back again. Private. */
#ifndef FTSAN_FREED_AGAIN_H
#define FTSAN_FREED_AGAIN_H

#include <stdbool.h>
#include <stdint.h>

/* Is the block or object at @address, which begins with a fill, held? Any context. */
bool ftsan_again_is_held(uintptr_t address);

/**
 * ftsan_again_report() - the calling thread does it
 * @freed: frees the block; else gives back a reference
 *
 * Context: normal.
 */
void ftsan_again_report(uintptr_t address, bool freed);

#endif
