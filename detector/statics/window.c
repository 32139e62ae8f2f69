/*
 * Collision windows: one at a time in the process. Its owner has trapped with a store and
 * waits; who comes to the same bytes meanwhile has raced with it. A page with locks of
 * libc stays readable, because the kernel looks at them: watched.c sees who loads there.
 */
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "rules/rules.h"
#include "statics/config.h"
#include "statics/store.h"
#include "statics/report_text.h"
#include "statics/watched.h"
#include "threads/threads.h"

enum window_state {
	CLOSED,
	PREPARING,
	OPEN,
	CLAIMED,
	SERVED,
	ENDED,
	LEFT, /* the owner has gone on: who came reads @store yet, and closes it then */
};

/* As in pages/collide.c: a report takes long; who was met gets ahead of the owner; and
 * waiting threads look again. */
static const uint64_t CLAIM_NS = 500u * 1000 * 1000;
static const uint64_t HEAD_START_NS = 6u * 1000 * 1000;
static const uint64_t RETRY_NS = 2u * 1000 * 1000;
/* Where somebody is on the way a window goes on for so many of them. */
enum { MAKER = 8 };

/* Written by the owner before OPEN, read by who has claimed it. */
static struct {
	_Atomic uint32_t state;
	_Atomic uint32_t round;
	_Atomic int tid;
	_Atomic uint64_t until;
	bool extended;
	struct static_page *_Atomic page;
	struct static_store store;
	char thread_name[FTSAN_THREAD_NAME];
	struct ftsan_stack stack;
} window;

static _Atomic uint64_t spent_ns;

static void close_page(struct static_page *page)
{
	uint8_t state = STATIC_PAGE_WINDOW;

	(void)atomic_compare_exchange_strong(&page->state, &state, STATIC_PAGE_SEALED);
	static_page_protect(page);
}

/* give_up() - true: the window is no more the owner's. */
static bool give_up(struct static_page *page, uint32_t state)
{
	if (state == OPEN) {
		(void)atomic_compare_exchange_strong(&window.state, &state, ENDED);
		return false;
	}
	/* From then on another one may own it. */
	static_watch_end();
	close_page(page);
	return atomic_compare_exchange_strong(&window.state, &state, LEFT);
}

/* wait_for_another() - false: who came takes too long, and the window is his. */
static bool wait_for_another(struct static_page *page)
{
	uint32_t state;

	while ((state = atomic_load_explicit(&window.state, memory_order_acquire)) ==
		       OPEN ||
	       state == CLAIMED) {
		uint64_t until =
			atomic_load_explicit(&window.until, memory_order_relaxed);
		uint64_t limit = state == OPEN ? until : until + CLAIM_NS;

		if (ftsan_sys_now_ns() >= limit) {
			if (give_up(page, state))
				return false;
			continue;
		}
		(void)ftsan_sys_futex_wait(&window.state, state, limit);
	}
	/* Both would go on at the same moment, and right into each other. */
	if (state == SERVED)
		(void)ftsan_sys_futex_wait(&window.state, state,
					   ftsan_sys_now_ns() + HEAD_START_NS);
	return true;
}

/* Who has looked whether it is there, and found nothing, is about to make it. Once a
 * window, so that readers in a loop don't keep it open. */
static void wait_for_maker(const struct static_store *met,
			   struct ftsan_static_pair_verdict verdict)
{
	if (verdict.pair != FTSAN_PAIR_PUBLISHED || window.extended ||
	    met->access.role == FTSAN_ROLE_WRITE)
		return;
	window.extended = true;
	atomic_fetch_add_explicit(&window.until, MAKER * static_config.window_ns,
				  memory_order_relaxed);
}

/* take_page() - for a window; not where the kernel is to come, which would fail its call.
 */
static bool take_page(struct static_page *page)
{
	uint8_t sealed = STATIC_PAGE_SEALED;

	if (!atomic_compare_exchange_strong(&page->state, &sealed, STATIC_PAGE_WINDOW))
		return false;
	if (atomic_load(&page->kernel) == 0)
		return true;
	close_page(page);
	return false;
}

static void become_free(void)
{
	atomic_store_explicit(&window.tid, 0, memory_order_relaxed);
	atomic_store_explicit(&window.state, CLOSED, memory_order_release);
}

/* Then the store goes on: whoever waited looks again. */
static void wait_and_leave(struct static_page *page)
{
	if (wait_for_another(page)) {
		static_watch_end();
		close_page(page);
		become_free();
	}
	atomic_fetch_add_explicit(&window.round, 1, memory_order_release);
	ftsan_sys_futex_wake(&window.round);
}

static void fill_new(struct static_store *store, const struct ftsan_insn *insn)
{
	uint32_t at = store->access.address % 8, size = store->access.size;

	if (insn->plan != FTSAN_PLAN_DIRECT)
		return;
	if (at + size > 8)
		size = 8 - at;
	store->new = store->old;
	memcpy((unsigned char *)&store->new + at, insn->value, size);
	store->has_new = true;
}

/*
 * Two that come at the same moment find the page sealed, both; the one has the window,
 * and the other one is who it waits for.
 */
bool static_window_is_at(const struct static_page *page)
{
	uint32_t state = atomic_load_explicit(&window.state, memory_order_acquire);

	return (state == PREPARING || state == OPEN || state == CLAIMED) &&
	       atomic_load_explicit(&window.page, memory_order_relaxed) == page;
}

bool static_window(struct static_thread *own, struct ftsan_thread *thread,
		   const void *ucontext)
{
	struct static_store *store = &own->store;
	struct ftsan_site *site = ftsan_site_of(store->pc);
	uint32_t closed = CLOSED;
	uint64_t began, length;

	if (!static_config.race)
		return false;
	fill_new(store, &own->insn);
	if (!static_window_worth(store))
		return false;
	if (!static_window_may_open(
		    store, site, atomic_load_explicit(&spent_ns, memory_order_relaxed)) ||
	    !atomic_compare_exchange_strong(&window.state, &closed, PREPARING))
		return false;
	(void)static_words_of_one(own);
	window.page = store->page;
	window.store = *store;
	ftsan_stack_capture(&window.stack, ucontext);
	ftsan_thread_read_name(thread);
	memcpy(window.thread_name, thread->name, sizeof(window.thread_name));
	atomic_store_explicit(&window.tid,
			      atomic_load_explicit(&thread->tid, memory_order_relaxed),
			      memory_order_relaxed);
	if (!take_page(store->page)) {
		atomic_store_explicit(&window.state, CLOSED, memory_order_release);
		return false;
	}
	ftsan_count(statics_windows);
	length = static_window_length(store);
	store->word->windows++;
	if (site != NULL)
		atomic_fetch_add_explicit(&site->windows, 1, memory_order_relaxed);
	began = ftsan_sys_now_ns();
	window.extended = false;
	static_watch_begin(store);
	atomic_store_explicit(&window.until, began + length, memory_order_relaxed);
	atomic_store_explicit(&window.state, OPEN, memory_order_release);
	static_page_protect(store->page);
	wait_and_leave(store->page);
	atomic_fetch_add_explicit(&spent_ns, ftsan_sys_now_ns() - began,
				  memory_order_relaxed);
	return true;
}

/* --- who comes -------------------------------------------------------------------- */

static void answer(uint32_t state)
{
	uint32_t claimed = CLAIMED;

	if (!atomic_compare_exchange_strong(&window.state, &claimed, state) &&
	    claimed == LEFT)
		become_free();
	ftsan_sys_futex_wake(&window.state);
}

void static_window_serve(void)
{
	answer(SERVED);
}

/* The owner is gone, or stuck: its page is sealed as before. */
static void end_overdue(struct static_page *page)
{
	uint32_t state = atomic_load_explicit(&window.state, memory_order_acquire);

	if (state == CLOSED || window.page != page)
		close_page(page);
}

/* Its owner looks at its stack, and will wait then. */
static void wait_until_open(void)
{
	uint64_t limit = ftsan_sys_now_ns() + RETRY_NS;

	while (atomic_load_explicit(&window.state, memory_order_acquire) == PREPARING &&
	       ftsan_sys_now_ns() < limit)
		ftsan_sys_yield();
}

static bool claim(struct static_page *page)
{
	uint32_t open = OPEN;
	uint32_t round = atomic_load_explicit(&window.round, memory_order_acquire);

	wait_until_open();
	if (!atomic_compare_exchange_strong(&window.state, &open, CLAIMED)) {
		(void)ftsan_sys_futex_wait(&window.round, round,
					   ftsan_sys_now_ns() + RETRY_NS);
		end_overdue(page);
		return false;
	}
	if (window.page == page)
		return true;
	answer(OPEN);
	end_overdue(page);
	return false;
}

static bool report(struct ftsan_thread *thread, const struct static_store *met,
		   struct ftsan_static_pair_verdict verdict)
{
	const struct static_store *held = &window.store;
	struct static_race_texts texts = {0};
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_RACE,
		.confidence = FTSAN_CONFIRMED,
		.address = held->access.address,
		.title = texts.title,
		.description = texts.description,
		.grade = ftsan_grade_name(verdict.grade),
		.note = texts.note,
		.has_old = true,
		.has_new = held->has_new,
		.old_value = (int64_t)held->old,
		.new_value = (int64_t)held->new,
		.n_parties = 2,
	};

	static_race_texts(&texts, held, &window.stack, verdict.pair);
	/* Where there are no names, all that a function stores to is one bug. */
	if (texts.name[0] != '+')
		incident.name = texts.name;
	incident.parties[0] = (struct ftsan_party){
		.role = FTSAN_ROLE_WRITE,
		.tid = atomic_load_explicit(&window.tid, memory_order_relaxed),
		.name = window.thread_name,
		.access = &held->access,
		.stack = &window.stack,
	};
	incident.parties[1] = ftsan_party_of(thread, met->access.role, &met->access);
	return ftsan_report(&incident);
}

enum static_meeting static_meet(struct static_thread *own, struct ftsan_thread *thread,
				const void *ucontext)
{
	struct static_store *met = &own->store;
	struct ftsan_static_pair_verdict verdict;

	if (!claim(met->page))
		return STATIC_MEET_RETRY;
	if (!ftsan_rule_overlap(&window.store.access, &met->access)) {
		answer(OPEN);
		return STATIC_MEET_PASS;
	}
	fill_new(met, &own->insn);
	verdict = static_pair_verdict(&window.store, met);
	if (verdict.grade < static_config.grade) {
		if (verdict.grade != FTSAN_GRADE_COUNTED)
			ftsan_count(statics_low);
		wait_for_maker(met, verdict);
		answer(OPEN);
		return STATIC_MEET_PASS;
	}
	ftsan_count(statics_met);
	ftsan_stack_capture(&thread->stack, ucontext);
	if (met->done && thread->stack.n_native > 0)
		thread->stack.pc[0] = met->pc;
	if (report(thread, met, verdict)) {
		window.store.word->proven = true;
		ftsan_site_prove(window.store.pc);
	}
	return STATIC_MEET_RACED;
}

void static_window_fork_child(void)
{
	struct static_page *page = window.page;

	static_watch_fork_child();
	if (atomic_load_explicit(&window.state, memory_order_relaxed) != CLOSED &&
	    page != NULL)
		close_page(page);
	atomic_store_explicit(&window.state, CLOSED, memory_order_relaxed);
}
