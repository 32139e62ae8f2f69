/* Whether static data of a loaded object may be written to. */
#ifndef FTSAN_PRELOAD_WRITABLE_H
#define FTSAN_PRELOAD_WRITABLE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * ftsan_writable() - may this memory be written to?
 *
 * Yes, if it lies in a writable segment of a loaded object, and outside of what the
 * loader made read-only after it had relocated it (constants that hold addresses).
 * Memory of no object is nobody's static data: no.
 *
 * Context: normal context (the loader's lock).
 */
bool ftsan_writable(const void *address, size_t size_bytes);

#endif
