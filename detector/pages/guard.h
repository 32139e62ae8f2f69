/*
 * The guarded-buffer engine: buffers on pages of their own, sealed once they can be
 * seen by more than one thread, so that the processor reports every store to them.
 *
 *   guard.c       allocation and freeing
 *   guard_skip.h  allocations that are left out, inline
 *   guard_life.c  all buffers at once: detach, fork, the end
 *   seal.c        sealing and unsealing, and how much is sealed
 *   publish.c     when a buffer is sealed: the scout's tick
 *   hold.c        the same for operations
 *   quarantine.c  freed buffers, kept inaccessible for a while
 *   recycle.c     their way back
 *   trap.c        faults: what a fault means, and what is done about it
 *   window.c      holding a store up until a second thread touches the same thing
 *   collide.c     the second thread
 *   store.c       performing a trapped store
 */
#ifndef FTSAN_GUARD_H
#define FTSAN_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "pages/guard_config.h"
#include "pages/slot.h"

/* Context: start-up. @host: borrowed, must stay. @free_threaded: of the interpreter.
 * Return: 0 or -errno; nothing is guarded then. */
int ftsan_guard_init(const struct ftsan_options *options,
		     const struct ftsan_guard_host *host, bool free_threaded);

/**
 * ftsan_guard_alloc() - a buffer of its own
 * @adapter:    enum ftsan_adapter_id
 * @size_bytes: > 0
 * @object:     the header that will point at it, 0 if not known yet
 * @site:       copied
 *
 * Context: normal context, any thread. The content is undefined, as malloc's.
 * Return:  the buffer, 16-byte aligned; NULL when it is left out (counted): the caller
 *          takes the ordinary allocator then.
 */
void *ftsan_guard_alloc(uint8_t adapter, size_t size_bytes, uintptr_t object,
			const struct ftsan_alloc_site *site);

static inline bool ftsan_guard_owns(const void *pointer)
{
	return ftsan_arena_holds((uintptr_t)pointer);
}

/**
 * ftsan_guard_free() - the program frees a buffer of ours
 *
 * Context: normal context, any thread, whoever allocated it. A free while another
 * thread's store to the buffer is in progress is itself a conflicting access.
 */
void ftsan_guard_free(void *pointer);

/* The same for the old block of a realloc, so that a late access is told as one. */
void ftsan_guard_free_moved(void *pointer);

/*
 * A new buffer of the same adapter and object for a realloc of @pointer, which stays as
 * it is; NULL: take the ordinary allocator. @pc: who asked. Normal context.
 */
void *ftsan_guard_realloc(const void *pointer, size_t size_bytes, uintptr_t pc);

/* Is the buffer of this adapter (enum ftsan_adapter_id)? */
bool ftsan_guard_is(const void *pointer, uint8_t adapter);

/* Bytes that were asked for. */
size_t ftsan_guard_size(const void *pointer);

/* Copies out of a buffer of ours in whatever state it is. Normal context. */
void ftsan_guard_copy(void *to, const void *from, size_t size_bytes);

/* The object that owns the buffer has been seen: its header points at it. */
void ftsan_guard_bind(const void *pointer, uintptr_t object);
/* The object bound to the buffer, 0 when there is none. */
uintptr_t ftsan_guard_object(const void *pointer);

/**
 * ftsan_guard_open() - every page read/write
 *
 * Context: normal context, halted. Return: false when a store or a free in progress keeps
 * a page: call again.
 */
bool ftsan_guard_open(void);

/* Resident memory that all of it can take at most. */
uint64_t ftsan_guard_bound_bytes(void);
/* Resident memory that its pages and tables take now. Context: normal, or the scout's. */
uint64_t ftsan_guard_resident_bytes(void);

/* How plain stores are performed, for the log (store.h). */
const char *ftsan_guard_store_name(void);

/* Buffers that have not been freed. A walk over all slots. */
uint32_t ftsan_guard_live(void);

/* fork: parent and child agree on a state without work in progress. */
void ftsan_guard_fork_parent(void);
void ftsan_guard_fork_child(void);

/* Adds live old buffers to the counters; once, at the end. */
void ftsan_guard_count_live(void);

#endif
