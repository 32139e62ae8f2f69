/*
 * When buffers are sealed, and unsealed again: by age, by a foreign thread's entry, for
 * the length of an operation, after a cool-down.
 *
 * Context of everything: any thread; ftsan_publish_undone() and ftsan_guard_unseal() in
 * handlers, too.
 */
#ifndef FTSAN_PUBLISH_H
#define FTSAN_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "pages/slot.h"

enum { FTSAN_SITES = 4096 };

/* Of an allocation site: where in native code, and in Python's. */
static inline uint64_t ftsan_site_hash(uintptr_t pc, uintptr_t instr)
{
	return (instr ^ (pc << 16 | pc >> 48)) * 0x9e3779b97f4a7c15ull;
}

static inline uint16_t ftsan_site_bucket(uint64_t hash)
{
	return (uint16_t)(hash >> 52);
}

extern FTSAN_HIDDEN _Atomic uint32_t ftsan_site_published[FTSAN_SITES];
extern FTSAN_HIDDEN _Atomic uint16_t ftsan_site_meetings[FTSAN_SITES];

/* Scout periods since; 0 when it lies ahead, for a buffer that cools down. */
uint32_t ftsan_ticks_since(uint32_t tick);

/* The slot is PRIVATE: the scout shall look at it. */
static inline void ftsan_publish_later(uint32_t slot)
{
	_Atomic uint8_t *mark = &ftsan_arena.dirty[slot / 64];

	/* Read first: the line stays shared while the mark is set already. */
	if (atomic_load_explicit(mark, memory_order_relaxed) == 0)
		atomic_store_explicit(mark, 1, memory_order_release);
}

/* A published slot's page is read/write again. */
void ftsan_publish_undone(const struct ftsan_slot *slot);

/* How often a buffer of an allocation site (a bucket of them) was used by another thread
 * than its owner, or changed while it was sealed. */
static inline uint16_t ftsan_meetings(uint16_t site)
{
	return atomic_load_explicit(&ftsan_site_meetings[site], memory_order_relaxed);
}

/* One more for the slot's. Context: any. */
static inline void ftsan_met(uint32_t slot)
{
	atomic_fetch_add_explicit(&ftsan_site_meetings[ftsan_slot_at(slot)->site], 1,
				  memory_order_relaxed);
}

/* Published buffers of an allocation site (a bucket of them). */
static inline uint32_t ftsan_publish_count(uint16_t site)
{
	return atomic_load_explicit(&ftsan_site_published[site], memory_order_relaxed);
}

/* ftsan_guard_halt() was called. */
extern FTSAN_HIDDEN _Atomic bool ftsan_publish_halted_now;
static inline bool ftsan_publish_halted(void)
{
	return atomic_load_explicit(&ftsan_publish_halted_now, memory_order_relaxed);
}

/* PUBLISHED to PRIVATE: for a slot that was sealed for an operation, or halted. */
void ftsan_publish_open(uint32_t slot);

/**
 * ftsan_publish_hold_off() - nothing is sealed until ftsan_publish_go_on()
 *
 * What is FTSAN_FREE or FTSAN_PRIVATE stays one of both meanwhile. For microseconds:
 * buffers that are to be sealed wait, or are left for the next time.
 *
 * Return: false: another thread is sealing, or holds off; nothing to be undone.
 */
bool ftsan_publish_hold_off(void);
void ftsan_publish_go_on(void);

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

/* fork: nobody is ticking, if that can be waited for. */
void ftsan_guard_fork_prepare(void);

/* WINDOWED by the caller's doing: back to PRIVATE, to be published again by age; much
 * later when a race was proven on it. */
void ftsan_guard_unseal(uint32_t slot, bool proven);

uint32_t ftsan_guard_tick_number(void);

void ftsan_publish_fork_child(void);

#endif
