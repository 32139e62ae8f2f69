/* Who comes to a buffer that is in somebody's window (window.h), and is caught in the
 * act. */
#ifndef FTSAN_COLLIDE_H
#define FTSAN_COLLIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "pages/pages_thread.h"

/* The access of another thread has been let through: the owner of that window, in that
 * round, may go on. */
void ftsan_window_release(uint32_t owner_plus_1, uint32_t round);

enum ftsan_collision {
	FTSAN_COLLISION_RETRY, /* let the instruction fault again */
	FTSAN_COLLISION_PASS,  /* no conflict: let the read through, the window stays */
	FTSAN_COLLISION_READ,  /* a race was reported; let the read through now */
	FTSAN_COLLISION_WRITE, /* a race was reported; perform the store now */
};

/**
 * ftsan_collide() - an access to a buffer in somebody's window
 * @thread: the caller's record; thread->insn is decoded
 * @slot:   pinned, seen WINDOWED
 * @served: gets index + 1 of the owner who waits until ftsan_window_release()
 *
 * The finding is in the log when this returns READ or WRITE. Context: signal handler.
 */
enum ftsan_collision ftsan_collide(struct ftsan_thread *thread, uint32_t slot,
				   const void *ucontext, uint32_t *served);

/* The program frees a buffer in somebody's window. Normal context. */
void ftsan_collide_free(uint32_t slot);

#endif
