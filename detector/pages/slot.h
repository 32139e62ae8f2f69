/*
 * The arena: one page a guarded buffer, the state of each, and free lists.
 *
 *             +-------------- unsealed -----------+
 *             v                                   |
 *   FREE -> PRIVATE -> SEALING -> PUBLISHED <-> WINDOW
 *             |           |           |           |
 *             +-> FREE    +-> (dead)  +-----> QUARANTINED -> RECYCLING -> FREE
 *
 * The state and a generation share one atomic word. Whoever changes the state by
 * compare-and-swap does the work that the new state stands for; FREE, where nobody else
 * may change it, is left by a plain store, because every allocation does so:
 *
 *   FREE, PRIVATE      page read/write; PRIVATE belongs to the thread that allocated it
 *   SEALING            one thread (the sealer) is making the page read-only
 *   SEALING_DEAD       freed meanwhile: the sealer takes care of the rest
 *   PUBLISHED          page read-only; stores trap
 *   WINDOW             a store is in progress; the page may be inaccessible
 *   QUARANTINED        freed; page inaccessible; reused once it leaves the quarantine
 *   RECYCLING          on its way back to FREE
 *
 * The protection of a page follows its state a little later. A handler that finds a
 * page stricter than its state says repairs the page; one that is laxer is a missed
 * trap, never a wrong one.
 *
 * A pin keeps a slot from being recycled while a handler looks at it. Whoever pins looks
 * at the state afterwards, whoever recycles changes the state and looks at the pins
 * afterwards: one of the two sees the other.
 */
#ifndef FTSAN_SLOT_H
#define FTSAN_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "budget/budget.h"
#include "stacks/stacks.h"

struct ftsan_thread;

enum ftsan_state {
	FTSAN_FREE,
	FTSAN_PRIVATE,
	FTSAN_SEALING,
	FTSAN_SEALING_DEAD,
	FTSAN_PUBLISHED,
	FTSAN_WINDOWED,
	FTSAN_QUARANTINED,
	FTSAN_RECYCLING,
};

/* The word's codec: state 8 bits, generation 56. Pure. */
static inline enum ftsan_state ftsan_word_state(uint64_t word)
{
	return (enum ftsan_state)(word & 0xff);
}

static inline uint64_t ftsan_word_generation(uint64_t word)
{
	return word >> 8;
}

static inline uint64_t ftsan_word_with_state(uint64_t word, enum ftsan_state state)
{
	return (word & ~0xffull) | (uint64_t)state;
}

static inline uint64_t ftsan_word_next_generation(uint64_t word)
{
	return word + (1ull << 8);
}

enum {
	FTSAN_NO_SLOT = 0xffffffffu,
	FTSAN_NO_ENTRY = 0xffffffffu,
	FTSAN_SPAN_PAGES = 16,
};

/* Why a slot is not looked at by the scout any more. */
enum ftsan_parked {
	FTSAN_PARKED_NOT,
	FTSAN_PARKED_UNBOUND,
	FTSAN_PARKED_LIMIT,
	FTSAN_PARKED_BUDGET,
	FTSAN_PARKED_KERNEL,
};

/**
 * struct ftsan_slot - what is known of the buffer in a slot
 * @object:   the adapter's: address of the header that owns the buffer; 0 when unbound
 * @alloc:    where it was allocated
 * @alloc_tid: kernel thread id of the owner
 * @birth_tick: scout tick of the allocation
 * @seal_tick: scout tick from which its age counts for publication
 * @size:     bytes of the buffer
 * @offset:   of the buffer in its first page
 * @pages:    1, or more for a span
 * @span_back: for a page inside a span: pages back to its first; constant
 * @site:     bucket of the allocation site
 * @flags:    the next ones, all at once: an allocation clears them
 * @published: it was sealed at least once
 * @moved:    it was freed by a realloc
 * @reused:   another header has it now than at first, so the allocation says little
 * @shared:   a thread that did not allocate it has entered an operation on its object
 * @cooled:   exponent of the next cool-down
 * @parked:   enum ftsan_parked
 * @on_hold:  it was sealed for operations, and is unsealed after the last
 * @adapter:  index into the adapters
 * @window_owner: index + 1 of the thread whose store is in progress
 * @holds:    operations that want it sealed while they last
 * @pins:     of handlers that look at it, in whatever state it is
 * @windows:  collision windows opened on this buffer
 * @stable_address, @stable_value: a word that stores change, and what it holds most of
 *            the time; 0 before the first trap
 * @stable_span_ns: longest time that it was seen to hold it, capped
 * @changed_ns: time of the last trapped store, or of the seal
 * @quarantine: entry of the quarantine
 *
 * Written by the allocating thread while PRIVATE; later only by whoever holds the
 * state (the window's owner, the freeing thread), but for the atomics. What follows
 * the flags only changes once the buffer is sealed, and is cleared by the allocation
 * after a life that was. Two cache lines, of which most allocations write one and a half.
 */
struct ftsan_slot {
	_Atomic uintptr_t object;
	struct ftsan_alloc_site alloc;
	int32_t alloc_tid;
	uint32_t birth_tick;
	uint32_t seal_tick;
	uint32_t size;
	uint16_t offset;
	uint16_t pages;
	uint16_t span_back;
	uint16_t site;
	union {
		uint64_t flags;
		struct {
			bool published;
			bool moved;
			_Atomic bool reused;
			_Atomic bool shared;
			uint8_t cooled;
			_Atomic uint8_t parked;
			_Atomic bool on_hold;
			uint8_t adapter;
		};
	};
	_Atomic uint32_t window_owner;
	_Atomic uint32_t holds;
	_Atomic uint32_t pins;
	_Atomic uint32_t windows;
	_Atomic uintptr_t stable_address;
	_Atomic uint64_t stable_value;
	_Atomic uint64_t stable_span_ns;
	_Atomic uint64_t changed_ns;
	_Atomic uint32_t quarantine;
};

/* The arena of the process. Constant after ftsan_arena_init(). */
struct ftsan_arena {
	uintptr_t base;
	size_t size_bytes;
	uint32_t n_slots;
	struct ftsan_slot *slots;
	_Atomic uint64_t *words;
	_Atomic uint8_t *dirty; /* one for 64 slots: some may wait for the scout */
};

extern FTSAN_HIDDEN struct ftsan_arena ftsan_arena;

/* Context: start-up. Return: 0 or -ENOMEM. */
int ftsan_arena_init(uint32_t n_slots);
/* Resident memory that the arena can take at most, tables included. */
uint64_t ftsan_arena_bound_bytes(void);

static inline bool ftsan_arena_holds(uintptr_t address)
{
	return address - ftsan_arena.base < ftsan_arena.size_bytes;
}

/* The slot of an address in the arena; a span's first one for any of its pages. */
static inline uint32_t ftsan_slot_of(uintptr_t address)
{
	uint32_t page = (uint32_t)((address - ftsan_arena.base) / FTSAN_PAGE);

	return page - ftsan_arena.slots[page].span_back;
}

static inline uintptr_t ftsan_slot_page(uint32_t slot)
{
	return ftsan_arena.base + (uintptr_t)slot * FTSAN_PAGE;
}

static inline struct ftsan_slot *ftsan_slot_at(uint32_t slot)
{
	return &ftsan_arena.slots[slot];
}

static inline uintptr_t ftsan_slot_buffer(uint32_t slot)
{
	return ftsan_slot_page(slot) + ftsan_arena.slots[slot].offset;
}

static inline uint64_t ftsan_slot_word(uint32_t slot)
{
	return atomic_load_explicit(&ftsan_arena.words[slot], memory_order_acquire);
}

/* One compare-and-swap of the state; the generation stays. */
static inline bool ftsan_slot_move(uint32_t slot, uint64_t *word, enum ftsan_state to)
{
	return atomic_compare_exchange_strong(&ftsan_arena.words[slot], word,
					      ftsan_word_with_state(*word, to));
}

/* The same for whatever generation it is; false when the state is not @from. */
static inline bool ftsan_slot_transition(uint32_t slot, enum ftsan_state from,
					 enum ftsan_state to)
{
	uint64_t word = ftsan_slot_word(slot);

	while (ftsan_word_state(word) == from)
		if (ftsan_slot_move(slot, &word, to))
			return true;
	return false;
}

/* Pins a slot in whatever state it is; the word it had. Async-signal-safe. */
uint64_t ftsan_slot_pin(uint32_t slot);
void ftsan_slot_unpin(uint32_t slot);
bool ftsan_slot_pinned(uint32_t slot);

/*
 * Changes the protection (PROT_*) of one slot, whatever its pages, or of a run of
 * neighbouring single ones. PROT_READ means sealed, which is done by a protection key
 * where there is one. Return: 0 or -errno. Async-signal-safe.
 */
int ftsan_slot_protect(uint32_t slot, uint32_t n_slots, int protection);
/* What these took. */
extern FTSAN_HIDDEN struct ftsan_share ftsan_slot_changes;

/**
 * ftsan_slot_take() - a FREE slot out of the thread's magazine or the arena
 * Return: FTSAN_NO_SLOT when all are taken.
 * Context: normal context of the thread (its magazine has no lock).
 */
uint32_t ftsan_slot_take(struct ftsan_thread *thread);
/* The same for a buffer of several pages (at most FTSAN_SPAN_PAGES). Any context. */
uint32_t ftsan_slot_take_span(uint32_t pages);
/* Gives a FREE slot or span back; @thread may be NULL (then straight to the arena). */
void ftsan_slot_give(struct ftsan_thread *thread, uint32_t slot);
/* Empties a magazine: the thread ends, or was lost in a fork. */
void ftsan_slot_give_all(struct ftsan_thread *thread);
/*
 * The child of a fork: forgets every free list and makes them anew from the slots that
 * are FREE (a list or a magazine may have been caught half changed). Every thread's
 * magazine must have been emptied.
 */
void ftsan_slots_rebuild(void);
/* Slots not in the arena's free list: taken, or in a magazine. */
uint32_t ftsan_slots_taken(void);
/* Walks the slots that were ever taken: from 0 until the result is n_slots. */
uint32_t ftsan_slot_next(uint32_t slot);

#endif
