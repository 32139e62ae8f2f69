#include "pages/publish.h"

#include "base/base.h"
#include "pages/guard_config.h"
#include "rules/rules.h"
#include "threads/threads.h"

/* By age buffers are published for this share of the processor's time; what another
 * thread has come to is, whatever it costs. */
static const uint64_t BURST_NS = 40u * 1000 * 1000;
enum { PERCENT = 1, BUDGET_TICKS = 64 };

enum { UNBOUND_TICKS = 8 }; /* a buffer that nobody points at by then is left out */

static _Atomic uint32_t pace;		    /* periods of the last step */
static _Atomic uint32_t ticking;	    /* somebody is in ftsan_guard_tick() */
static _Atomic bool waiting;		    /* buffers may be waiting for the next tick */
static _Atomic bool scout;		    /* a scout ticks; allocations need not */
static _Atomic uint64_t next_tick_ns;	    /* for allocations */
static _Atomic uint32_t refusals;	    /* publications that the limit put off */
static uint32_t looked_again_at;	    /* refusals at that time; under ticking */
static _Atomic bool over_budget;	    /* as of the last tick */
static _Atomic uint32_t put_off;	    /* publications that the budget put off */
static uint32_t taken_up_at, taken_up_tick; /* the same for these */

static enum ftsan_publish_answer ask(uint32_t index, bool foreign)
{
	const struct ftsan_slot *slot = ftsan_slot_at(index);
	uint32_t age = ftsan_ticks_since(slot->seal_tick);
	uint32_t step = atomic_load_explicit(&pace, memory_order_relaxed);
	struct ftsan_publish_question question = {
		.bound = true,
		.foreign = foreign,
		.cooling = ftsan_seal_cooling(slot),
		/* The step it was born in was not a whole one. */
		.age_ticks = age > step ? age - step : 0,
		.fragments = ftsan_seal_fragments(),
		.fragment_limit = ftsan_guard_config.fragments,
		.site_published = atomic_load_explicit(&ftsan_site_published[slot->site],
						       memory_order_relaxed),
		.over_budget = atomic_load_explicit(&over_budget, memory_order_relaxed),
	};

	/* Looking at the header costs most, so it comes last. */
	enum ftsan_publish_answer answer = ftsan_rule_publish(&question);

	if (answer != FTSAN_PUBLISH_NOW)
		return answer;
	question.bound = ftsan_adapter_bound(index);
	return ftsan_rule_publish(&question);
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
		if (!ftsan_seal_begin(index, word)) {
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
			ftsan_seal_park(index, FTSAN_PARKED_UNBOUND);
		else
			*waits = true;
		return false;
	case FTSAN_PUBLISH_OVER_LIMIT:
		atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
		ftsan_seal_park(index, FTSAN_PARKED_LIMIT);
		return false;
	case FTSAN_PUBLISH_PUT_OFF:
		atomic_fetch_add_explicit(&put_off, 1, memory_order_relaxed);
		ftsan_seal_park(index, FTSAN_PARKED_BUDGET);
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
		ftsan_seal_run(i - run, run);
		run = 0;
	}
	ftsan_seal_run(end - run, run);
	if (waits)
		atomic_store_explicit(&ftsan_arena.dirty[group], 1, memory_order_relaxed);
}

static void look_at_all(uint32_t end)
{
	for (uint32_t group = 0; group * 64 < end; group++)
		atomic_store_explicit(&ftsan_arena.dirty[group], 1, memory_order_relaxed);
}

/* look_again() - room has come back for those that the limit left out; under ticking. */
static void look_again(uint32_t end)
{
	uint32_t refused = atomic_load_explicit(&refusals, memory_order_relaxed);

	if (refused == looked_again_at)
		return;
	looked_again_at = refused;
	look_at_all(end);
}

/* Is there time again for those that had to wait? Under ticking. */
static void take_up(uint32_t end)
{
	uint32_t so_far = atomic_load_explicit(&put_off, memory_order_relaxed);
	bool spent = ftsan_share_is_spent(&ftsan_slot_changes, BURST_NS, PERCENT);

	atomic_store_explicit(&over_budget, spent, memory_order_relaxed);
	if (spent || so_far == taken_up_at ||
	    ftsan_guard_tick_number() - taken_up_tick < BUDGET_TICKS)
		return;
	taken_up_at = so_far;
	taken_up_tick = ftsan_guard_tick_number();
	look_at_all(end);
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
	return atomic_load_explicit(&waiting, memory_order_relaxed) &&
	       !atomic_load_explicit(&over_budget, memory_order_relaxed);
}

void ftsan_guard_tick(uint32_t periods)
{
	uint32_t expected = 0, end;

	if (!ftsan_guard_ready() || ftsan_publish_halted() ||
	    !atomic_compare_exchange_strong(&ticking, &expected, 1))
		return;
	atomic_store_explicit(&pace, periods, memory_order_relaxed);
	atomic_fetch_add_explicit(&ftsan_seal_tick, periods, memory_order_relaxed);
	end = ftsan_arena.n_slots;
	take_up(end);
	atomic_store_explicit(&waiting, scan_all(end), memory_order_relaxed);
	if (ftsan_seal_fragments() >= ftsan_guard_config.fragments / 2)
		ftsan_seal_recount();
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
		atomic_fetch_add_explicit(&ftsan_seal_tick,
					  missed > 1000 ? 1000 : (uint32_t)missed,
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
	    ask(index, true) == FTSAN_PUBLISH_NOW && ftsan_seal_begin(index, word))
		ftsan_seal_run(index, 1);
	return ftsan_word_state(ftsan_slot_word(index)) == FTSAN_PUBLISHED;
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

void ftsan_publish_begin(void)
{
	ftsan_share_begin(&ftsan_slot_changes);
	atomic_store_explicit(&over_budget, false, memory_order_relaxed);
}

void ftsan_publish_fork_child(void)
{
	ftsan_seal_fork_child();
	ftsan_publish_begin();
	atomic_store_explicit(&ticking, 0, memory_order_relaxed);
	atomic_store_explicit(&scout, false, memory_order_relaxed);
}
