#include "pages/window.h"

#include <sys/mman.h>

#include "base/base.h"
#include "budget/budget.h"
#include "pages/guard_config.h"
#include "pages/seal.h"
#include "pages/slot.h"
#include "rules/rules.h"
#include "stacks/stacks.h"

/* A changed value that stays this long is the new normal: user code reshaped it. */
static const uint64_t SETTLED_NS = 20u * 1000 * 1000;

/*
 * What was exhausted gets a little more later: a site a window in this time, a buffer
 * some each time it is sealed again. On a busy machine the second thread may not have
 * run at all while the first windows were open.
 */
static const uint64_t SITE_REFILL_NS = 100u * 1000 * 1000;
enum { OBJECT_REFILL = 2 };

static uint64_t began_ns; /* set once at start */

void ftsan_window_init(void)
{
	began_ns = ftsan_sys_now_ns();
}

uint64_t ftsan_window_elapsed_ns(void)
{
	return ftsan_sys_now_ns() - began_ns;
}

uint32_t ftsan_window_site_limit(uint64_t elapsed_ns)
{
	return ftsan_guard_config.windows_per_site +
	       (uint32_t)(elapsed_ns / SITE_REFILL_NS);
}

void ftsan_window_fork_child(void)
{
	/* What was proven in the parent is in the parent's log, not in the child's. */
	ftsan_sites_reset();
}

static uintptr_t word_of(uintptr_t address)
{
	return address & ~(uintptr_t)7;
}

/* learn() - from now on @address is the word to judge by. */
static void learn(struct ftsan_slot *slot, uintptr_t address, uint64_t value,
		  uint64_t span)
{
	atomic_store_explicit(&slot->stable_value, value, memory_order_relaxed);
	atomic_store_explicit(&slot->stable_address, address, memory_order_relaxed);
	atomic_store_explicit(&slot->stable_span_ns,
			      span < SETTLED_NS ? span : SETTLED_NS,
			      memory_order_relaxed);
}

/*
 * deviates() - is an operation between its store and its undoing? Judged by one word:
 * it deviates when it holds something else than it does most of the time. Which of two
 * values is the lasting one shows in how long they last, whatever state the buffer was
 * sealed in.
 */
static bool deviates(struct ftsan_slot *slot, uintptr_t address, uint64_t now)
{
	uintptr_t word =
		atomic_load_explicit(&slot->stable_address, memory_order_relaxed);
	uint64_t span =
		now - atomic_load_explicit(&slot->changed_ns, memory_order_relaxed);
	uint64_t longest =
		atomic_load_explicit(&slot->stable_span_ns, memory_order_relaxed);
	uint64_t value;

	if (word == 0 || !ftsan_safe_u64(word, &value)) {
		longest = 0;
		word = 0;
	} else if (value != atomic_load_explicit(&slot->stable_value,
						 memory_order_relaxed) &&
		   span <= longest) {
		return true;
	}
	if (ftsan_safe_u64(word_of(address), &value))
		learn(slot, word_of(address), value,
		      word == word_of(address) && longest > span ? longest : span);
	return false;
}

/* decide() - hold this store up? unseal the buffer behind it? */
static void decide(struct ftsan_window *window, uint32_t index,
		   const struct ftsan_site *site)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);
	const struct ftsan_guard_config *config = &ftsan_guard_config;

	uint64_t now;

	window->held = false;
	window->cools = true;
	now = ftsan_sys_now_ns();
	window->proven =
		site != NULL && atomic_load_explicit(&site->proven, memory_order_relaxed);
	if (site == NULL)
		return;
	struct ftsan_window_question question = {
		.threads = ftsan_threads_alive(),
		.site_proven = window->proven,
		.site_windows =
			atomic_load_explicit(&site->windows, memory_order_relaxed),
		.site_limit = ftsan_window_site_limit(now - began_ns),
		.object_windows =
			atomic_load_explicit(&slot->windows, memory_order_relaxed),
		.object_limit = config->windows_per_object + slot->cooled * OBJECT_REFILL,
		.spent_ns = ftsan_counted(window_ns),
		.elapsed_ns = now - began_ns,
		.budget_percent = config->window_budget_percent,
		.length_ns = ftsan_rule_window_length(
			config->window_ns,
			atomic_load_explicit(&slot->windows, memory_order_relaxed),
			config->windows_per_object),
		.deviates = ftsan_adapter_of(index)->undoes &&
			    deviates(slot, window->store.access.address, now),
	};
	window->length_ns = question.length_ns;
	window->held = ftsan_rule_open_window(&question);
	window->cools = ftsan_rule_exhausted(&question);
}

/* note_values() - the 8-byte word before and after; emulated stores know both. */
static void note_values(struct ftsan_window *window, const struct ftsan_insn *insn)
{
	window->store.has_values =
		insn->access.size <= 8 &&
		ftsan_safe_u64(word_of(insn->access.address), &window->store.old_value);
	window->store.has_new =
		window->store.has_values && insn->plan == FTSAN_PLAN_DIRECT;
	if (!window->store.has_new)
		return;
	window->store.new_value = window->store.old_value;
	for (uint32_t i = 0; i < insn->access.size; i++)
		((unsigned char *)&window->store
			 .new_value)[insn->access.address % 8 + i] = insn->value[i];
}

/* hold_up() - waits for a collision, then until the collider is through. */
static void hold_up(struct ftsan_window *window, uint64_t until)
{
	uint64_t began = ftsan_sys_now_ns();
	uint32_t state;

	while ((state = atomic_load_explicit(&window->state, memory_order_acquire)) ==
		       FTSAN_WINDOW_OPEN ||
	       state == FTSAN_WINDOW_CLAIMED) {
		uint64_t limit = state == FTSAN_WINDOW_OPEN
					 ? until
					 : until + FTSAN_WINDOW_CLAIM_NS;

		if (ftsan_sys_now_ns() >= limit) {
			(void)atomic_compare_exchange_strong(&window->state, &state,
							     FTSAN_WINDOW_ENDED);
			continue;
		}
		(void)ftsan_sys_futex_wait(&window->state, state, limit);
	}
	/* Both threads would go on at the same moment, and right into each other: the
	 * owner lets the other one get ahead, as it would be without us. */
	if (state == FTSAN_WINDOW_SERVED) {
		window->cools = window->proven = true;
		(void)ftsan_sys_futex_wait(&window->state, state,
					   ftsan_sys_now_ns() +
						   FTSAN_WINDOW_HEAD_START_NS);
	}
	ftsan_count_add(window_ns, ftsan_sys_now_ns() - began);
}

void ftsan_window_fill(struct ftsan_thread *thread, uint32_t slot, uintptr_t ip)
{
	struct ftsan_window *window = &ftsan_pages_of(thread)->window;

	window->tid = atomic_load_explicit(&thread->tid, memory_order_relaxed);
	window->store.slot = slot;
	window->store.ip = ip;
	window->store.access = ftsan_pages_of(thread)->insn.access;
	note_values(window, &ftsan_pages_of(thread)->insn);
}

bool ftsan_window_enter(struct ftsan_thread *thread, uint32_t index, const void *ucontext)
{
	struct ftsan_window *window = &ftsan_pages_of(thread)->window;
	struct ftsan_site *site = ftsan_site_of(ftsan_context_ip(ucontext));
	uint64_t until;

	ftsan_window_fill(thread, index, ftsan_context_ip(ucontext));
	decide(window, index, site);
	if (window->held)
		ftsan_stack_capture(&window->stack, ucontext);
	if (!ftsan_slot_transition(index, FTSAN_PUBLISHED, FTSAN_WINDOWED))
		return false;
	atomic_store_explicit(&ftsan_slot_at(index)->window_owner, thread->index + 1,
			      memory_order_release);
	if (!window->held) {
		atomic_store_explicit(&window->state, FTSAN_WINDOW_BRIEF,
				      memory_order_release);
		return true;
	}
	ftsan_count(windows);
	atomic_fetch_add_explicit(&site->windows, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&ftsan_slot_at(index)->windows, 1,
				  memory_order_relaxed);
	until = ftsan_sys_now_ns() + window->length_ns;
	atomic_store_explicit(&window->deadline_ns, until, memory_order_relaxed);
	atomic_store_explicit(&window->state, FTSAN_WINDOW_OPEN, memory_order_release);
	if (ftsan_slot_protect(index, 1, PROT_NONE) == 0)
		hold_up(window, until);
	return true;
}

void ftsan_window_leave(struct ftsan_thread *thread)
{
	struct ftsan_window *window = &ftsan_pages_of(thread)->window;
	uint32_t index = window->store.slot;

	atomic_store_explicit(&ftsan_slot_at(index)->changed_ns, ftsan_sys_now_ns(),
			      memory_order_relaxed);
	/* Freed meanwhile: the page stays as the quarantine wants it. */
	if (ftsan_word_state(ftsan_slot_word(index)) == FTSAN_WINDOWED && window->cools)
		ftsan_guard_unseal(index, window->proven);
	else if (ftsan_word_state(ftsan_slot_word(index)) == FTSAN_WINDOWED &&
		 window->held)
		(void)ftsan_slot_protect(index, 1, PROT_READ);
	atomic_store_explicit(&window->state, FTSAN_WINDOW_CLOSED, memory_order_release);
	(void)ftsan_slot_transition(index, FTSAN_WINDOWED, FTSAN_PUBLISHED);
	atomic_fetch_add_explicit(&window->round, 1, memory_order_release);
	ftsan_sys_futex_wake(&window->round);
}
