#include "pages/publish.h"

#include <sys/mman.h>

#include "base/base.h"
#include "pages/guard_config.h"
#include "rules/rules.h"
#include "threads/threads.h"

enum {
	RECOUNT_TICKS = 64, /* exact count of sealed runs at most this often */
	UNBOUND_TICKS = 8,  /* a buffer that nobody points at by then is left out */
	COOL_PROVEN = 11, /* exponents of the periods that an unsealed buffer stays so */
	COOL_MAX = 14,
	HELD_OFF_LOOKS = 1000, /* how long a seal waits while others hold it off */
	YIELD_LOOKS = 50,
};

static _Atomic uint32_t tick;	      /* scout periods so far */
static _Atomic uint32_t pace;	      /* periods of the last step */
static _Atomic uint32_t ticking;      /* somebody is in ftsan_guard_tick() */
static _Atomic bool waiting;	      /* buffers may be waiting for the next tick */
static _Atomic bool scout;	      /* a scout ticks; allocations need not */
static _Atomic uint64_t next_tick_ns; /* for allocations */
static _Atomic uint32_t sealed;	      /* slots whose page is not read/write */
static _Atomic uint32_t merged;	      /* of these, not a fragment of their own */
static uint32_t recounted;	      /* tick of the last recount; under ticking */
static _Atomic uint32_t refusals;     /* publications that the limit put off */
static uint32_t looked_again_at;      /* refusals at that time; under ticking */
_Atomic uint32_t ftsan_site_published[FTSAN_SITES];
_Atomic uint16_t ftsan_site_meetings[FTSAN_SITES];
static _Atomic uint32_t held_off;  /* nothing may become SEALING */
static _Atomic uint32_t beginning; /* threads that may be about to make it so */
_Atomic bool ftsan_publish_halted_now;

uint32_t ftsan_guard_tick_number(void)
{
	return atomic_load_explicit(&tick, memory_order_relaxed);
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
static uint32_t fragments(void)
{
	uint32_t pages = atomic_load_explicit(&sealed, memory_order_relaxed);
	uint32_t credit = atomic_load_explicit(&merged, memory_order_relaxed);

	return pages > credit ? pages - credit : 0;
}

/* recount() - how many sealed pages follow one of their own kind; under ticking. */
static void recount(void)
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

/* cooling() - unsealed, and not to be sealed again yet. */
static bool cooling(const struct ftsan_slot *slot)
{
	return slot->cooled > 0 && ftsan_ticks_since(slot->seal_tick) == 0;
}

static enum ftsan_publish_answer ask(uint32_t index, bool foreign)
{
	const struct ftsan_slot *slot = ftsan_slot_at(index);
	uint32_t age = ftsan_ticks_since(slot->seal_tick);
	uint32_t step = atomic_load_explicit(&pace, memory_order_relaxed);
	struct ftsan_publish_question question = {
		.bound = true,
		.foreign = foreign,
		.cooling = cooling(slot),
		/* The step it was born in was not a whole one. */
		.age_ticks = age > step ? age - step : 0,
		.fragments = fragments(),
		.fragment_limit = ftsan_guard_config.fragments,
		.site_published = atomic_load_explicit(&ftsan_site_published[slot->site],
						       memory_order_relaxed),
	};

	/* Looking at the header costs most, so it comes last. */
	enum ftsan_publish_answer answer = ftsan_rule_publish(&question);

	if (answer != FTSAN_PUBLISH_NOW)
		return answer;
	question.bound = ftsan_adapter_bound(index);
	return ftsan_rule_publish(&question);
}

static void park(uint32_t index, enum ftsan_parked why)
{
	if (atomic_exchange_explicit(&ftsan_slot_at(index)->parked, (uint8_t)why,
				     memory_order_relaxed) == (uint8_t)why)
		return;
	if (why == FTSAN_PARKED_UNBOUND)
		ftsan_count(left_out_unbound);
	else if (why == FTSAN_PARKED_LIMIT)
		ftsan_count(left_out_fragments);
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
		park(index, FTSAN_PARKED_KERNEL);
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

/* begin_seal() - PRIVATE to SEALING; false: the slot has changed, or it can't be now.
 * Each side says what it is about to do before it looks at the other. */
static bool begin_seal(uint32_t index, uint64_t word)
{
	bool ok;

	for (unsigned i = 0; i < HELD_OFF_LOOKS &&
			     atomic_load_explicit(&held_off, memory_order_relaxed) != 0;
	     i++) {
		/* Whoever holds it off may have lost its processor. */
		if (i % YIELD_LOOKS == YIELD_LOOKS - 1)
			ftsan_sys_yield();
		else
			ftsan_sys_relax();
	}
	atomic_fetch_add(&beginning, 1);
	ok = atomic_load(&held_off) == 0 && ftsan_slot_move(index, &word, FTSAN_SEALING);
	atomic_fetch_sub(&beginning, 1);
	return ok;
}

static void seal_run(uint32_t first, uint32_t n)
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

/* consider() - PRIVATE to SEALING when the rule says so; is it waiting otherwise? */
static bool consider(uint32_t index, bool *waits)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);
	uint8_t parked = atomic_load_explicit(&slot->parked, memory_order_relaxed);
	/* The answer is about this generation, so the change of state is, too. */
	uint64_t word = ftsan_slot_word(index);

	if (ftsan_word_state(word) != FTSAN_PRIVATE || parked == FTSAN_PARKED_UNBOUND ||
	    parked == FTSAN_PARKED_KERNEL || !ftsan_guard_config.aged[slot->adapter])
		return false;
	switch (ask(index, false)) {
	case FTSAN_PUBLISH_NOW:
		if (!begin_seal(index, word)) {
			*waits = true;
			return false;
		}
		atomic_store_explicit(&slot->parked, FTSAN_PARKED_NOT,
				      memory_order_relaxed);
		return true;
	case FTSAN_PUBLISH_LATER:
		*waits = true;
		return false;
	case FTSAN_PUBLISH_UNBOUND:
		/* A constructor may be held up before it stored the pointer: only what
		 * stays unbound for long is given up. */
		if (ftsan_ticks_since(slot->birth_tick) > UNBOUND_TICKS)
			park(index, FTSAN_PARKED_UNBOUND);
		else
			*waits = true;
		return false;
	case FTSAN_PUBLISH_OVER_LIMIT:
		atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
		park(index, FTSAN_PARKED_LIMIT);
		return false;
	}
	return false;
}

static void scan_group(uint32_t group, uint32_t end)
{
	uint32_t first = group * 64, run = 0;
	bool waits = false;

	if (end > first + 64)
		end = first + 64;
	/* Cleared before the look, so that an allocation meanwhile marks it again. */
	atomic_store_explicit(&ftsan_arena.dirty[group], 0, memory_order_seq_cst);
	for (uint32_t i = first; i < end; i++) {
		if (consider(i, &waits)) {
			run++;
			continue;
		}
		seal_run(i - run, run);
		run = 0;
	}
	seal_run(end - run, run);
	if (waits)
		atomic_store_explicit(&ftsan_arena.dirty[group], 1, memory_order_relaxed);
}

/* look_again() - room has come back for those that the limit left out; under ticking. */
static void look_again(uint32_t end)
{
	uint32_t refused = atomic_load_explicit(&refusals, memory_order_relaxed);

	if (refused == looked_again_at)
		return;
	looked_again_at = refused;
	for (uint32_t group = 0; group * 64 < end; group++)
		atomic_store_explicit(&ftsan_arena.dirty[group], 1, memory_order_relaxed);
}

/* scan_all() - was there anything to look at? */
static bool scan_all(uint32_t end)
{
	bool any = false;

	for (uint32_t group = 0; group * 64 < end; group++) {
		if (atomic_load_explicit(&ftsan_arena.dirty[group],
					 memory_order_relaxed) == 0)
			continue;
		scan_group(group, end);
		any = true;
	}
	return any;
}

bool ftsan_guard_waiting(void)
{
	return atomic_load_explicit(&waiting, memory_order_relaxed);
}

void ftsan_guard_tick(uint32_t periods)
{
	uint32_t expected = 0, end;

	if (!ftsan_guard_ready() || ftsan_publish_halted() ||
	    !atomic_compare_exchange_strong(&ticking, &expected, 1))
		return;
	atomic_store_explicit(&pace, periods, memory_order_relaxed);
	atomic_fetch_add_explicit(&tick, periods, memory_order_relaxed);
	end = ftsan_arena.n_slots;
	atomic_store_explicit(&waiting, scan_all(end), memory_order_relaxed);
	if (fragments() >= ftsan_guard_config.fragments / 2)
		recount();
	else
		look_again(end);
	atomic_store_explicit(&ticking, 0, memory_order_release);
}

void ftsan_guard_tick_if_due(void)
{
	uint64_t now, due;

	if (atomic_load_explicit(&scout, memory_order_relaxed))
		return;
	now = ftsan_sys_now_ns();
	due = atomic_load_explicit(&next_tick_ns, memory_order_relaxed);
	if (now < due)
		return;
	/* Several periods may have passed unnoticed: ages are counted in periods. */
	if (due != 0) {
		uint64_t missed =
			(now - due) / ((uint64_t)ftsan_guard_config.tick_us * 1000);
		atomic_fetch_add_explicit(&tick, missed > 1000 ? 1000 : (uint32_t)missed,
					  memory_order_relaxed);
	}
	atomic_store_explicit(&next_tick_ns,
			      now + (uint64_t)ftsan_guard_config.tick_us * 1000,
			      memory_order_relaxed);
	ftsan_guard_tick(1);
}

void ftsan_guard_scout_running(bool running)
{
	atomic_store_explicit(&scout, running, memory_order_relaxed);
}

bool ftsan_guard_publish(const void *pointer)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	uint64_t word = ftsan_slot_word(index);
	bool may = !ftsan_publish_halted() ||
		   ftsan_slot_at(index)->adapter == FTSAN_ADAPTER_CANARY;

	if (may && ftsan_word_state(word) == FTSAN_PRIVATE &&
	    ask(index, true) == FTSAN_PUBLISH_NOW && begin_seal(index, word))
		seal_run(index, 1);
	return ftsan_word_state(ftsan_slot_word(index)) == FTSAN_PUBLISHED;
}

/* enter_foreign() - publish it, unless there is a reason not to. */
static void enter_foreign(uint32_t index, const void *pointer)
{
	if (ftsan_word_state(ftsan_slot_word(index)) != FTSAN_PRIVATE ||
	    cooling(ftsan_slot_at(index)) ||
	    atomic_load_explicit(&ftsan_slot_at(index)->parked, memory_order_relaxed) ==
		    FTSAN_PARKED_LIMIT)
		return;
	ftsan_count(foreign_entries);
	(void)ftsan_guard_publish(pointer);
}

bool ftsan_guard_enter(const void *pointer)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	struct ftsan_slot *slot = ftsan_slot_at(index);
	const struct ftsan_thread *thread = ftsan_thread_self();
	bool shared = atomic_load_explicit(&slot->shared, memory_order_relaxed);

	if (thread == NULL ||
	    slot->alloc_tid == atomic_load_explicit(&thread->tid, memory_order_relaxed))
		return shared;
	if (!shared) {
		atomic_store_explicit(&slot->shared, true, memory_order_relaxed);
		ftsan_met(index);
	}
	enter_foreign(index, pointer);
	return true;
}

/* take() - the state is PRIVATE: seal it now, for operations only. */
static bool take(uint32_t index, uint64_t word)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);

	if (ftsan_publish_halted() || cooling(slot) ||
	    fragments() >= ftsan_guard_config.fragments || !begin_seal(index, word))
		return false;
	atomic_store_explicit(&slot->on_hold, true, memory_order_relaxed);
	seal_run(index, 1);
	return true;
}

/* give_up_hold() - one less, never below none: freed and used again, the count began
 * anew. */
static uint32_t give_up_hold(struct ftsan_slot *slot)
{
	uint32_t holds = atomic_load_explicit(&slot->holds, memory_order_relaxed);

	do {
		if (holds == 0)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&slot->holds, &holds, holds - 1,
							memory_order_acq_rel,
							memory_order_relaxed));
	return holds;
}

/* is_held() - sealed, and still the buffer that it was. */
static bool is_held(uint32_t index, uint64_t generation)
{
	uint64_t word = ftsan_slot_word(index);

	return ftsan_word_state(word) == FTSAN_PUBLISHED &&
	       ftsan_word_generation(word) == generation;
}

bool ftsan_guard_hold(const void *pointer, uint64_t *generation)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	struct ftsan_slot *slot = ftsan_slot_at(index);
	uint64_t word = ftsan_slot_word(index);

	*generation = ftsan_word_generation(word);
	/* Counted first: the last of the others must not unseal it meanwhile. */
	atomic_fetch_add_explicit(&slot->holds, 1, memory_order_acq_rel);
	if (ftsan_word_state(word) == FTSAN_PRIVATE && take(index, word))
		ftsan_count(held);
	if (is_held(index, *generation))
		return true;
	(void)give_up_hold(slot);
	return false;
}

void ftsan_guard_unhold(const void *pointer, uint64_t generation)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	struct ftsan_slot *slot = ftsan_slot_at(index);

	/* Freed and used again meanwhile: these are other holds. */
	if (ftsan_word_generation(ftsan_slot_word(index)) != generation)
		return;
	/* Somebody who holds it from here on finds it sealed, and is wrong a moment
	 * later: that is a missed trap at worst. */
	if (give_up_hold(slot) == 1 &&
	    atomic_load_explicit(&slot->on_hold, memory_order_relaxed))
		ftsan_publish_open(index);
}

void ftsan_guard_halt(bool halt)
{
	atomic_store_explicit(&ftsan_publish_halted_now, halt, memory_order_seq_cst);
}

void ftsan_guard_fork_prepare(void)
{
	/* The scout is stopped; an allocation of another thread may be ticking. What it
	 * leaves half done in the child is put right there. */
	uint64_t deadline = ftsan_sys_now_ns() + 20000000;

	while (atomic_load_explicit(&ticking, memory_order_acquire) != 0 &&
	       ftsan_sys_now_ns() < deadline)
		ftsan_sys_yield();
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

void ftsan_publish_fork_child(void)
{
	count_sealed();
	atomic_store_explicit(&ticking, 0, memory_order_relaxed);
	atomic_store_explicit(&scout, false, memory_order_relaxed);
	atomic_store_explicit(&held_off, 0, memory_order_relaxed);
	atomic_store_explicit(&beginning, 0, memory_order_relaxed);
}
