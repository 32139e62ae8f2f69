/*
 * Which arrays two threads have used, for those that no page can tell it of: a
 * zero-dimensional one has no dims, so nothing of it is guarded. And which of all arrays
 * were just seen to be shared: their words are watched first.
 *
 * Lossy: an array whose entry another one takes begins anew. One that is made at the
 * place of another counts as shared with its user, which costs a look and proves nothing.
 */
#ifndef FTSAN_SHARED_H
#define FTSAN_SHARED_H

#include <stdbool.h>
#include <stdint.h>

enum ftsan_shared {
	FTSAN_SHARED_NOT,
	FTSAN_SHARED_LONG, /* for some operations already */
	FTSAN_SHARED_JUST,
};

/* The thread @index enters an operation on the array at @header. Any context. */
enum ftsan_shared ftsan_shared_use(uintptr_t header, uint32_t index);

#endif
