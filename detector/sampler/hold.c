#include "sampler/hold.h"

#include <errno.h>

#include "base/base.h"
#include "rules/rules.h"
#include "sampler/busy.h"
#include "sampler/hold_word.h"
#include "sampler/other.h"
#include "words/words.h"

/* How long who came waits for the finding: symbol tables have to be read for it. */
static const uint64_t FINDING_NS = 500u * 1000 * 1000;
/* And how long the held one for who is recording itself. */
static const uint64_t RECORD_NS = 200u * 1000 * 1000;

#define DATA_MAGIC UINT64_C(0x5a3b75)
enum { DATA_MAGIC_SHIFT = 40, DATA_SLOT_SHIFT = 32 };

enum state {
	QUIET,	   /* nobody came yet */
	RECORDING, /* somebody has, and writes its part */
	RECORDED,  /* and waits for the finding */
	CLOSED,	   /* nobody may come any more */
	LEFT, /* the held one has gone on meanwhile: who records gives the window back */
};

/**
 * struct window
 * @taken:  a thread has it
 * @armed:  generation of the watch, 0: none; hits of another one are late
 * @state:  enum state; futex of both threads
 * @watch:  the watchpoint that it has while it is taken, or FTSAN_EVERYONE_NONE
 */
struct window {
	_Atomic uint32_t taken;
	_Atomic uint32_t armed;
	_Atomic uint32_t state;
	uint32_t generation;
	int watch;
	struct ftsan_hold hold;
};

static struct window windows[FTSAN_HOLDS];

static struct ftsan_perf_target target_of(const struct window *window, bool reads)
{
	return (struct ftsan_perf_target){
		.address = window->hold.word,
		.length = window->hold.length,
		.reads = reads,
		.everyone = true,
		.data = DATA_MAGIC << DATA_MAGIC_SHIFT |
			(uint64_t)(window - windows) << DATA_SLOT_SHIFT |
			window->generation,
	};
}

static struct window *window_of(struct ftsan_hold *hold)
{
	for (unsigned i = 0; i < FTSAN_HOLDS; i++)
		if (&windows[i].hold == hold)
			return &windows[i];
	return NULL;
}

static struct window *take_window(void)
{
	for (unsigned i = 0; i < FTSAN_HOLDS; i++) {
		uint32_t none = 0;

		if (!atomic_compare_exchange_strong(&windows[i].taken, &none, 1))
			continue;
		windows[i].watch = ftsan_everyone_take();
		if (windows[i].watch != FTSAN_EVERYONE_NONE || !ftsan_everyone_there())
			return &windows[i];
		atomic_store_explicit(&windows[i].taken, 0, memory_order_release);
		return NULL;
	}
	return NULL;
}

static void give_window(struct window *window)
{
	ftsan_everyone_give(window->watch);
	atomic_store_explicit(&window->taken, 0, memory_order_release);
}

static bool watch_word(struct window *window, bool reads)
{
	struct ftsan_perf_target to;

	atomic_store(&window->state, QUIET);
	/* Sites look at the word as soon as this is stored. */
	atomic_store(&window->armed, window->generation);
	if (window->watch == FTSAN_EVERYONE_NONE)
		return true;
	to = target_of(window, reads);
	if (ftsan_everyone_aim(window->watch, &to) == 0)
		return true;
	atomic_store(&window->armed, 0);
	return false;
}

struct ftsan_hold *ftsan_hold_begin(struct ftsan_thread *self,
				    const struct ftsan_access *access,
				    const struct ftsan_sampled_side *side,
				    const struct ftsan_memory *memory)
{
	struct window *window = take_window();
	struct ftsan_hold *hold;

	if (window == NULL)
		return NULL;
	hold = &window->hold;
	window->generation = window->generation % (UINT32_MAX - 1) + 1;
	ftsan_hold_choose(hold, access, window->generation);
	ftsan_hold_look_around(hold, memory);
	hold->held.tid = atomic_load_explicit(&self->tid, memory_order_relaxed);
	hold->held.index = self->index;
	hold->held.access = *access;
	hold->held.side = *side;
	hold->met = false;
	hold->other.stored = false;
	ftsan_hold_note_whole(hold);
	atomic_store(&hold->passed, 0);
	atomic_store(&hold->followed, 0);
	/* A load is raced with by stores only. */
	if (ftsan_hold_read(hold, &hold->before) && watch_word(window, side->writes))
		return hold;
	give_window(window);
	return NULL;
}

static bool change(struct window *window, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(&window->state, &from, to);
}

/* wait_for() - until somebody has come, or time is up; the state then. */
static uint32_t wait_for(struct window *window, uint64_t end)
{
	for (;;) {
		uint32_t state = atomic_load(&window->state);
		uint64_t limit = state == QUIET ? end : end + RECORD_NS;

		if (state != QUIET && state != RECORDING)
			return state;
		if (ftsan_sys_now_ns() < limit)
			(void)ftsan_sys_futex_wait(&window->state, state, limit);
		else if (change(window, state, state == QUIET ? CLOSED : LEFT))
			return state == QUIET ? CLOSED : LEFT;
	}
}

/* do_again() - some times until @end, unless somebody comes. */
static void do_again(struct window *window, const struct ftsan_hold_plan *plan,
		     uint64_t end)
{
	enum { PARTS = 4 };

	for (unsigned left = PARTS - 1; left > 0; left--) {
		uint64_t next = end - plan->length_ns / PARTS * left;

		while (atomic_load(&window->state) == QUIET && ftsan_sys_now_ns() < next)
			(void)ftsan_sys_futex_wait(&window->state, QUIET, next);
		if (atomic_load(&window->state) != QUIET)
			return;
		plan->again(plan->same);
	}
}

/* is_starved() - the others got no processor; @times: that this was found. */
static bool is_starved(const struct ftsan_hold_plan *plan, uint64_t begun,
		       unsigned *times)
{
	return *times < plan->more && ftsan_busy_starved(begun, plan->length_ns) &&
	       ++*times > 0;
}

/* is_followed() - a loop has come nearer since @steps were made. */
static bool is_followed(struct window *window, uint32_t *steps, unsigned *times)
{
	enum { MOST = 12 };
	uint32_t before = *steps;

	*steps = atomic_load_explicit(&window->hold.followed, memory_order_relaxed);
	return *steps != before && ++*times <= MOST;
}

/* give_time() - the end of the wait; later, as long as the others get no processor. */
static uint64_t give_time(struct window *window, const struct ftsan_hold_plan *plan)
{
	uint64_t begun = ftsan_busy_begin(), end = ftsan_sys_now_ns();
	unsigned starved = 0, followed = 0;
	uint32_t steps = 0;

	for (;;) {
		end += plan->length_ns;
		if (plan->again != NULL)
			do_again(window, plan, end);
		else if (plan->more == 0)
			return end;
		while (atomic_load(&window->state) == QUIET && ftsan_sys_now_ns() < end)
			(void)ftsan_sys_futex_wait(&window->state, QUIET, end);
		if (atomic_load(&window->state) != QUIET ||
		    (!is_followed(window, &steps, &followed) &&
		     !is_starved(plan, begun, &starved)))
			return end;
		end = ftsan_sys_now_ns();
	}
}

bool ftsan_hold_wait(struct ftsan_hold *hold, const struct ftsan_hold_plan *plan)
{
	struct window *window = window_of(hold);
	uint32_t state = wait_for(window, give_time(window, plan));

	hold->met = state == RECORDED;
	hold->alone = state == CLOSED;
	ftsan_everyone_rest(window->watch);
	if (!ftsan_hold_read(hold, &hold->after))
		hold->after = hold->before;
	ftsan_hold_compare_whole(hold);
	/* Who came by the watchpoint has stored already. */
	if (hold->other.stored) {
		hold->other.side.changes = hold->after ^ hold->before;
		hold->other.side.changes_known = true;
		hold->other.side.same = hold->after == hold->before;
		hold->other.side.stores_one = hold->after != 0;
	}
	return hold->met;
}

void ftsan_hold_end(struct ftsan_hold *hold)
{
	struct window *window = window_of(hold);

	atomic_store(&window->armed, 0);
	if (atomic_load(&window->state) == LEFT)
		return;
	atomic_store(&window->state, CLOSED);
	ftsan_sys_futex_wake(&window->state);
	give_window(window);
}

/* --- who comes -----------------------------------------------------------------------
 */

static void unclaim(struct window *window)
{
	if (change(window, RECORDING, QUIET))
		ftsan_sys_futex_wake(&window->state);
	else
		give_window(window);
}

static struct window *claim(uint32_t at, uint32_t generation, int tid)
{
	struct window *window = &windows[at % FTSAN_HOLDS];
	uint32_t quiet = QUIET;

	if (atomic_load(&window->armed) != generation || generation == 0 ||
	    window->hold.held.tid == tid ||
	    !atomic_compare_exchange_strong(&window->state, &quiet, RECORDING))
		return NULL;
	/* The window may have become another's between the two looks. */
	if (atomic_load(&window->armed) == generation)
		return window;
	unclaim(window);
	return NULL;
}

/* It stops at the first: a hot loop of a dozen threads would trap at every round. */
static void rest_now(struct window *window)
{
	ftsan_everyone_rest(window->watch);
}

static void record(struct window *window, struct ftsan_thread *self, void *ucontext)
{
	struct ftsan_sample_party *party = &window->hold.other;
	uint64_t end;

	party->tid = atomic_load_explicit(&self->tid, memory_order_relaxed);
	party->index = self->index;
	ftsan_stack_capture(&party->stack, ucontext);
	ftsan_thread_read_name(self);
	if (!change(window, RECORDING, RECORDED)) {
		give_window(window);
		return;
	}
	ftsan_sys_futex_wake(&window->state);
	end = ftsan_sys_now_ns() + FINDING_NS;
	while (atomic_load(&window->state) == RECORDED && ftsan_sys_now_ns() < end)
		(void)ftsan_sys_futex_wait(&window->state, RECORDED, end);
}

bool ftsan_hold_trap(const siginfo_t *info, void *ucontext)
{
	struct ftsan_perf_signal signal;
	struct ftsan_thread *self;
	struct window *window;

	if (!ftsan_perf_signal_read(info, &signal) ||
	    signal.data >> DATA_MAGIC_SHIFT != DATA_MAGIC)
		return false;
	/* Blocked at the access: where that was is not known any more. */
	if (signal.async || ftsan_watch_is_own_text(ftsan_context_ip(ucontext)))
		return true;
	self = ftsan_thread_self();
	if (self == NULL || ftsan_thread_is_copy(self))
		return true;
	window = claim((uint32_t)(signal.data >> DATA_SLOT_SHIFT & 0xff),
		       (uint32_t)signal.data,
		       atomic_load_explicit(&self->tid, memory_order_relaxed));
	if (window == NULL)
		return true;
	if (!ftsan_other_learn(&window->hold, ucontext)) {
		/* No access: masked, or a search past the end. It goes on being watched.
		 */
		ftsan_count(sampler_masked);
		unclaim(window);
		return true;
	}
	if (ftsan_hold_passes(&window->hold, ftsan_hold_stored_again(&window->hold))) {
		unclaim(window);
		return true;
	}
	rest_now(window);
	window->hold.other.stored = window->hold.other.side.writes;
	record(window, self, ucontext);
	return true;
}

static bool touches(const struct window *window, const struct ftsan_access *access)
{
	struct ftsan_access word = {.address = window->hold.word,
				    .size = window->hold.length};

	return ftsan_rule_overlap(&word, access);
}

bool ftsan_hold_near(const struct ftsan_thread *self, const struct ftsan_access *access,
		     const struct ftsan_sampled_side *side, struct ftsan_hold_near *near)
{
	int tid = atomic_load_explicit(&self->tid, memory_order_relaxed);

	for (unsigned i = 0; i < FTSAN_HOLDS; i++) {
		near->hold = &windows[i].hold;
		near->generation = atomic_load(&windows[i].armed);
		near->bytes = ftsan_hold_distance(near->hold, access);
		if (near->generation != 0 && atomic_load(&windows[i].state) == QUIET &&
		    near->bytes != 0 && near->hold->held.tid != tid &&
		    (side->writes || near->hold->held.side.writes))
			return true;
	}
	return false;
}

bool ftsan_hold_meet(struct ftsan_thread *self, const struct ftsan_access *access,
		     const struct ftsan_sampled_side *side, void *ucontext)
{
	int tid = atomic_load_explicit(&self->tid, memory_order_relaxed);

	for (unsigned i = 0; i < FTSAN_HOLDS; i++) {
		uint32_t generation = atomic_load(&windows[i].armed);
		struct window *window;

		if (generation == 0 || !touches(&windows[i], access) ||
		    (!side->writes && !windows[i].hold.held.side.writes))
			continue;
		window = claim(i, generation, tid);
		if (window == NULL)
			continue;
		if (!touches(window, access)) {
			unclaim(window);
			continue;
		}
		ftsan_other_learn_site(&window->hold, access, side, ucontext);
		if (ftsan_hold_passes(&window->hold, window->hold.other.side.same)) {
			unclaim(window);
			continue;
		}
		rest_now(window);
		record(window, self, ucontext);
		return true;
	}
	return false;
}

void ftsan_hold_fork_child(void)
{
	for (unsigned i = 0; i < FTSAN_HOLDS; i++) {
		atomic_store(&windows[i].taken, 0);
		atomic_store(&windows[i].armed, 0);
		atomic_store(&windows[i].state, CLOSED);
	}
}
