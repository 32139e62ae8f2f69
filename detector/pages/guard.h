/*
 * The guarded-buffer engine: buffers on pages of their own, sealed once they can be
 * seen by more than one thread, so that the processor reports every store to them.
 *
 *   guard.c       allocation and freeing
 *   guard_skip.h  allocations that are left out, inline
 *   guard_life.c  all buffers at once: detach, fork, the end
 *   publish.c     sealing and unsealing, the scout's tick
 *   quarantine.c  freed buffers, kept inaccessible for a while
 *   recycle.c     their way back
 *   trap.c        faults: what a fault means, and what is done about it
 *   collide.c     holding a store up until a second thread touches the same thing
 *   store.c       performing a trapped store
 */
#ifndef FTSAN_GUARD_H
#define FTSAN_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/annot.h"
#include "base/options.h"
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

/* An operation on the buffer's object is entered: publishes it at once if the calling
 * thread is not its owner. Return: has any thread but the owner used it so far? Normal
 * context. */
bool ftsan_guard_enter(const void *pointer);

/**
 * ftsan_guard_hold() - seal a buffer for the length of an operation
 * @generation: set; for ftsan_guard_unhold()
 *
 * Holds of several operations and threads count. A buffer that was published before
 * stays so afterwards; others are unsealed by the last unhold.
 *
 * Context: normal context. Return: false when it is not sealed now (the bound on sealed
 * pages, or another thread is about to change it): then there is nothing to undo.
 */
bool ftsan_guard_hold(const void *pointer, uint64_t *generation);
void ftsan_guard_unhold(const void *pointer, uint64_t generation);

/* Publishes now, whatever the age; true if the page is sealed afterwards. */
bool ftsan_guard_publish(const void *pointer);

/* Some scout periods at once: publishes every buffer that lived through as many. Normal
 * context or the scout; a second caller returns at once. */
void ftsan_guard_tick(uint32_t periods);
/* Were there buffers at the last tick that may have to wait for the next one? */
bool ftsan_guard_waiting(void);
/* Called on allocations: ticks by the clock where no scout runs. */
void ftsan_guard_tick_if_due(void);

/* Stops and resumes allocation-driven ticks (a scout is at it). */
void ftsan_guard_scout_running(bool running);

/**
 * ftsan_guard_halt() - no new buffers, nothing is sealed; and the other way round
 *
 * Buffers that there are stay with their owners, and their frees are recognised. The
 * canary takes no notice. Context: normal context.
 */
void ftsan_guard_halt(bool halt);

/**
 * ftsan_guard_open() - every page read/write
 *
 * Context: normal context, halted. Return: false when a store or a free in progress keeps
 * a page: call again.
 */
bool ftsan_guard_open(void);

/* Buffers that have not been freed. A walk over all slots. */
uint32_t ftsan_guard_live(void);

/* fork: parent and child agree on a state without work in progress. */
void ftsan_guard_fork_prepare(void);
void ftsan_guard_fork_parent(void);
void ftsan_guard_fork_child(void);

/* Adds live old buffers to the counters; once, at the end. */
void ftsan_guard_count_live(void);

#endif
