/*
 * Calls of the kernel that are under way already when statics are sealed: an attach finds
 * threads in the middle of them, and the kernel fails a call that writes to a sealed page.
 * Private to the room.
 */
#ifndef FTSAN_PRELOAD_STATICS_WAITING_H
#define FTSAN_PRELOAD_STATICS_WAITING_H

#include <stddef.h>
#include <stdint.h>

/*
 * What all threads have given the kernel just now. That it lies behind a pointer (a list
 * of buffers) is not seen, and nothing is where the kernel does not tell. Context: normal
 * context, one caller at a time.
 */
void ftsan_waiting_collect(void);

/* Nothing is known any more: calls go by our own wrappers from now on. */
void ftsan_waiting_forget(void);

/* Leaves what of it is in [begin, end) open for good. The same then. */
void ftsan_waiting_leave_open(uintptr_t begin, uintptr_t end);

#endif
