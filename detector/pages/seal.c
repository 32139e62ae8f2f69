#include "pages/seal.h"

#include <sys/mman.h>

#include "base/base.h"
#include "pages/guard_config.h"

enum {
	RECOUNT_TICKS = 64, /* exact count of sealed runs at most this often */
	COOL_PROVEN = 11, /* exponents of the periods that an unsealed buffer stays so */
	COOL_MAX = 14,
	HELD_OFF_LOOKS = 1000, /* how long a seal waits while others hold it off */
	YIELD_LOOKS = 50,
};

_Atomic uint32_t ftsan_seal_tick;
_Atomic uint32_t ftsan_site_published[FTSAN_SITES];
_Atomic uint16_t ftsan_site_meetings[FTSAN_SITES];
_Atomic bool ftsan_publish_halted_now;
static _Atomic uint32_t sealed;	   /* slots whose page is not read/write */
static _Atomic uint32_t merged;	   /* of these, not a fragment of their own */
static uint32_t recounted;	   /* tick of the last recount; under ticking */
static _Atomic uint32_t held_off;  /* nothing may become SEALING */
static _Atomic uint32_t beginning; /* threads that may be about to make it so */

uint32_t ftsan_guard_tick_number(void)
{
	return atomic_load_explicit(&ftsan_seal_tick, memory_order_relaxed);
}

uint32_t ftsan_ticks_since(uint32_t since)
{
	int32_t age = (int32_t)(ftsan_guard_tick_number() - since);

	return age > 0 ? (uint32_t)age : 0;
}

void ftsan_publish_undone(const struct ftsan_slot *slot)
{
	atomic_fetch_sub_explicit(&sealed, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&ftsan_site_published[slot->site], 1,
				  memory_order_relaxed);
}

/*
 * cool_down() - periods until the next seal; doubles each time. A seal can fall between
 * an operation's store and its undoing, whose trap then lengthens the very state that
 * the race is about: so where a race is proven, it is long from the start.
 */
static uint32_t cool_down(struct ftsan_slot *slot, bool proven)
{
	uint8_t exponent = slot->cooled;

	if (proven && exponent < COOL_PROVEN)
		exponent = COOL_PROVEN;
	slot->cooled = exponent < COOL_MAX ? exponent + 1 : COOL_MAX;
	return 1u << exponent;
}

void ftsan_guard_unseal(uint32_t index, bool proven)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);

	if (ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE) != 0)
		return;
	slot->seal_tick = ftsan_guard_tick_number() + cool_down(slot, proven);
	if (!ftsan_slot_transition(index, FTSAN_WINDOWED, FTSAN_PRIVATE))
		return;
	ftsan_publish_undone(slot);
	ftsan_publish_later(index);
}

/* The sealed pages that stand alone; adjacent ones share their map entries. */
uint32_t ftsan_seal_fragments(void)
{
	uint32_t pages = atomic_load_explicit(&sealed, memory_order_relaxed);
	uint32_t credit = atomic_load_explicit(&merged, memory_order_relaxed);

	return pages > credit ? pages - credit : 0;
}

/* ftsan_seal_recount() - how many sealed pages follow one of their own kind; under
 * ticking. */
void ftsan_seal_recount(void)
{
	uint32_t credit = 0;
	enum ftsan_state previous = FTSAN_FREE;

	if (ftsan_guard_tick_number() - recounted < RECOUNT_TICKS)
		return;
	recounted = ftsan_guard_tick_number();
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i)) {
		enum ftsan_state state = ftsan_word_state(ftsan_slot_word(i));

		if (state == previous &&
		    (state == FTSAN_PUBLISHED || state == FTSAN_QUARANTINED))
			credit++;
		previous = state;
	}
	atomic_store_explicit(&merged, credit, memory_order_relaxed);
}

/* ftsan_seal_cooling() - unsealed, and not to be sealed again yet. */
bool ftsan_seal_cooling(const struct ftsan_slot *slot)
{
	return slot->cooled > 0 && ftsan_ticks_since(slot->seal_tick) == 0;
}

void ftsan_seal_park(uint32_t index, enum ftsan_parked why)
{
	if (atomic_exchange_explicit(&ftsan_slot_at(index)->parked, (uint8_t)why,
				     memory_order_relaxed) == (uint8_t)why)
		return;
	if (why == FTSAN_PARKED_UNBOUND)
		ftsan_count(left_out_unbound);
	else if (why == FTSAN_PARKED_LIMIT)
		ftsan_count(left_out_fragments);
	else if (why == FTSAN_PARKED_BUDGET)
		ftsan_count(left_out_budget);
	else
		ftsan_count(left_out_kernel);
}

/* bury() - freed while it was being sealed: nobody can have seen it sealed. */
static void bury(uint32_t index)
{
	(void)ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE);
	(void)ftsan_slot_transition(index, FTSAN_SEALING_DEAD, FTSAN_FREE);
	ftsan_slot_give(NULL, index);
}

/* conclude() - SEALING to what follows from how the seal went. */
static void conclude(uint32_t index, bool ok)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);

	if (!ok) {
		ftsan_seal_park(index, FTSAN_PARKED_KERNEL);
		if (!ftsan_slot_transition(index, FTSAN_SEALING, FTSAN_PRIVATE))
			bury(index);
		return;
	}
	/* Counted before it can be freed by somebody else. */
	atomic_fetch_add_explicit(&sealed, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&ftsan_site_published[slot->site], 1,
				  memory_order_relaxed);
	if (!slot->published && slot->adapter != FTSAN_ADAPTER_CANARY)
		ftsan_count(buffers_published);
	slot->published = true;
	atomic_store_explicit(&slot->changed_ns, ftsan_sys_now_ns(),
			      memory_order_relaxed);
	if (ftsan_slot_transition(index, FTSAN_SEALING, FTSAN_PUBLISHED))
		return;
	ftsan_publish_undone(slot);
	bury(index);
}

bool ftsan_publish_hold_off(void)
{
	uint32_t expected = 0;

	if (!atomic_compare_exchange_strong(&held_off, &expected, 1))
		return false;
	if (atomic_load(&beginning) == 0)
		return true;
	ftsan_publish_go_on();
	return false;
}

void ftsan_publish_go_on(void)
{
	atomic_store_explicit(&held_off, 0, memory_order_release);
}

/* ftsan_seal_begin() - PRIVATE to SEALING; false: the slot has changed, or it can't be
 * now. Each side says what it is about to do before it looks at the other. */
bool ftsan_seal_begin(uint32_t index, uint64_t word)
{
	bool ok;

	for (unsigned i = 0; i < HELD_OFF_LOOKS &&
			     atomic_load_explicit(&held_off, memory_order_relaxed) != 0;
	     i++) {
		/* Whoever holds it off may have lost its processor. */
		if (i % YIELD_LOOKS == YIELD_LOOKS - 1)
			ftsan_sys_yield();
		else
			ftsan_cpu_relax();
	}
	atomic_fetch_add(&beginning, 1);
	ok = atomic_load(&held_off) == 0 && ftsan_slot_move(index, &word, FTSAN_SEALING);
	atomic_fetch_sub(&beginning, 1);
	return ok;
}

void ftsan_seal_run(uint32_t first, uint32_t n)
{
	bool ok = n > 0 && ftsan_slot_protect(first, n, PROT_READ) == 0;

	for (uint32_t i = 0; i < n; i++)
		conclude(first + i, ok);
}

void ftsan_publish_open(uint32_t index)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);

	if (!ftsan_slot_transition(index, FTSAN_PUBLISHED, FTSAN_SEALING))
		return;
	atomic_store_explicit(&slot->on_hold, false, memory_order_relaxed);
	(void)ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE);
	ftsan_publish_undone(slot);
	if (!ftsan_slot_transition(index, FTSAN_SEALING, FTSAN_PRIVATE))
		bury(index);
	else
		ftsan_publish_later(index);
}

void ftsan_guard_halt(bool halt)
{
	atomic_store_explicit(&ftsan_publish_halted_now, halt, memory_order_seq_cst);
}

/* count_sealed() - anew: lost threads were between a change and its count. */
static void count_sealed(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < FTSAN_SITES; i++)
		atomic_store_explicit(&ftsan_site_published[i], 0, memory_order_relaxed);
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i)) {
		enum ftsan_state state = ftsan_word_state(ftsan_slot_word(i));

		if (state != FTSAN_PUBLISHED && state != FTSAN_QUARANTINED)
			continue;
		n++;
		atomic_fetch_add_explicit(&ftsan_site_published[ftsan_slot_at(i)->site],
					  1, memory_order_relaxed);
	}
	atomic_store_explicit(&sealed, n, memory_order_relaxed);
}

void ftsan_seal_fork_child(void)
{
	count_sealed();
	atomic_store_explicit(&held_off, 0, memory_order_relaxed);
	atomic_store_explicit(&beginning, 0, memory_order_relaxed);
}
