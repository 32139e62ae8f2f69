/*
 * Sealing and unsealing: the change of a page's protection with the slot's state, how
 * many pages are sealed, and what is known of the places that allocate.
 *
 * Context of everything: any thread; ftsan_publish_undone() and ftsan_guard_unseal() in
 * handlers, too.
 */
#ifndef FTSAN_SEAL_H
#define FTSAN_SEAL_H

#include <stdatomic.h>
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

/**
 * ftsan_guard_halt() - no new buffers, nothing is sealed; and the other way round
 *
 * Buffers that there are stay with their owners, and their frees are recognised. The
 * canary takes no notice. Context: normal context.
 */
void ftsan_guard_halt(bool halt);

/* WINDOWED by the caller's doing: back to PRIVATE, to be published again by age; much
 * later when a race was proven on it. */
void ftsan_guard_unseal(uint32_t slot, bool proven);

uint32_t ftsan_guard_tick_number(void);

/* Scout periods so far. */
extern FTSAN_HIDDEN _Atomic uint32_t ftsan_seal_tick;

/* The sealed pages that stand alone; adjacent ones share their map entries. */
uint32_t ftsan_seal_fragments(void);
/* Counts those anew, now and then; one thread at a time. */
void ftsan_seal_recount(void);

/* Unsealed, and not to be sealed again yet? */
bool ftsan_seal_cooling(const struct ftsan_slot *slot);

/* The scout leaves the slot alone from now on; counted once. */
void ftsan_seal_park(uint32_t slot, enum ftsan_parked why);

/* PRIVATE, with that word, to SEALING; false: the slot has changed, or it can't be now.
 */
bool ftsan_seal_begin(uint32_t slot, uint64_t word);
/* Neighbouring slots that are all SEALING by the caller's doing: PUBLISHED, if the kernel
 * and who frees them meanwhile let them. */
void ftsan_seal_run(uint32_t first, uint32_t n);

void ftsan_seal_fork_child(void);

#endif
