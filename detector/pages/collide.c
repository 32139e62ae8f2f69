#include "pages/collide.h"

#include <sys/mman.h>

#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "pages/guard_config.h"
#include "pages/seal.h"
#include "pages/slot.h"
#include "pages/slot_tell.h"
#include "rules/rules.h"

/* Past its deadline, a window whose owner waits for a report to be written is left
 * alone this long; symbol tables have to be read the first time. */
static const uint64_t CLAIM_NS = 500u * 1000 * 1000;
/* A thread that runs into somebody's window looks again at least this often. */
static const uint64_t RETRY_NS = 2u * 1000 * 1000;
/* A changed value that stays this long is the new normal: user code reshaped it. */
static const uint64_t SETTLED_NS = 20u * 1000 * 1000;

/*
 * After a find, the colliding thread runs this long before the owner stores, and others
 * who waited follow one by one. Threads that a window has brought to the same place at
 * the same time would otherwise run the very race that was found, far more often than
 * without us. Once for each site, so it may be long.
 */
static const uint64_t HEAD_START_NS = 6u * 1000 * 1000;

/*
 * What was exhausted gets a little more later: a site a window in this time, a buffer
 * some each time it is sealed again. On a busy machine the second thread may not have
 * run at all while the first windows were open.
 */
static const uint64_t SITE_REFILL_NS = 100u * 1000 * 1000;
enum { OBJECT_REFILL = 2 };

static uint64_t began_ns; /* set once at start */

void ftsan_collide_init(void)
{
	began_ns = ftsan_sys_now_ns();
}

uint64_t ftsan_collide_elapsed_ns(void)
{
	return ftsan_sys_now_ns() - began_ns;
}

uint32_t ftsan_collide_site_limit(uint64_t elapsed_ns)
{
	return ftsan_guard_config.windows_per_site +
	       (uint32_t)(elapsed_ns / SITE_REFILL_NS);
}

void ftsan_collide_fork_child(void)
{
	/* What was proven in the parent is in the parent's log, not in the child's. */
	ftsan_sites_reset();
}

/* --- the owner ---------------------------------------------------------------- */

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
		.site_limit = ftsan_collide_site_limit(now - began_ns),
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
		uint64_t limit = state == FTSAN_WINDOW_OPEN ? until : until + CLAIM_NS;

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
					   ftsan_sys_now_ns() + HEAD_START_NS);
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

/* --- the others --------------------------------------------------------------- */

static void answer(struct ftsan_window *window, uint32_t state)
{
	uint32_t claimed = FTSAN_WINDOW_CLAIMED;

	/* The owner may have given up waiting: then there is nothing to say. */
	(void)atomic_compare_exchange_strong(&window->state, &claimed, state);
	ftsan_sys_futex_wake(&window->state);
}

void ftsan_window_release(uint32_t owner_plus_1, uint32_t round)
{
	struct ftsan_thread *owner =
		owner_plus_1 == 0 ? NULL : ftsan_thread_at(owner_plus_1 - 1);

	/* Another round: it gave up waiting, and is in a window of its own again. */
	if (owner != NULL && atomic_load_explicit(&ftsan_pages_of(owner)->window.round,
						  memory_order_acquire) == round)
		answer(&ftsan_pages_of(owner)->window, FTSAN_WINDOW_SERVED);
}

static struct ftsan_thread *owner_of(uint32_t slot)
{
	uint32_t plus_1 = atomic_load_explicit(&ftsan_slot_at(slot)->window_owner,
					       memory_order_acquire);

	return plus_1 == 0 ? NULL : ftsan_thread_at(plus_1 - 1);
}

/*
 * wait_for() - until the window ends, or a little. Those who waited at a window where a
 * race was proven go on one after another: all at once, they would run into each other.
 */
static void wait_for(const struct ftsan_thread *thread, struct ftsan_thread *owner,
		     uint32_t round)
{
	_Atomic uint32_t nothing = 0;

	(void)ftsan_sys_futex_wait(&ftsan_pages_of(owner)->window.round, round,
				   ftsan_sys_now_ns() + RETRY_NS);
	if (ftsan_pages_of(owner)->window.proven)
		(void)ftsan_sys_futex_wait(&nothing, 0,
					   ftsan_sys_now_ns() +
						   thread->index % 4 * HEAD_START_NS);
}

/* end_overdue() - the owner is stuck (a debugger, a starved machine): go on without. */
static void end_overdue(struct ftsan_thread *owner, uint32_t slot)
{
	uint64_t deadline = atomic_load_explicit(
		&ftsan_pages_of(owner)->window.deadline_ns, memory_order_relaxed);
	uint32_t open = FTSAN_WINDOW_OPEN;

	/* Its thread is gone: cancelled, or ended, in the middle of a store. */
	if (atomic_load_explicit(&owner->tid, memory_order_relaxed) == 0) {
		(void)ftsan_slot_protect(slot, 1, PROT_READ);
		(void)ftsan_slot_transition(slot, FTSAN_WINDOWED, FTSAN_PUBLISHED);
		return;
	}
	if (ftsan_sys_now_ns() < deadline + CLAIM_NS ||
	    !atomic_compare_exchange_strong(&ftsan_pages_of(owner)->window.state, &open,
					    FTSAN_WINDOW_ENDED))
		return;
	ftsan_count(windows_forced);
	(void)ftsan_slot_protect(slot, 1, PROT_READ);
	ftsan_sys_futex_wake(&ftsan_pages_of(owner)->window.state);
}

/*
 * claim() - stop the owner's clock and take a copy of its window; NULL when the window
 * is none to collide with (brief, claimed by another thread, over, or about another
 * slot by now): then this has waited a little.
 */
static struct ftsan_thread *claim(struct ftsan_thread *thread, uint32_t slot)
{
	struct ftsan_thread *owner = owner_of(slot);
	uint32_t open = FTSAN_WINDOW_OPEN, round;

	if (owner == NULL || owner == thread || ftsan_thread_is_copy(thread)) {
		ftsan_sys_yield();
		return NULL;
	}
	round = atomic_load_explicit(&ftsan_pages_of(owner)->window.round,
				     memory_order_acquire);
	if (ftsan_word_state(ftsan_slot_word(slot)) != FTSAN_WINDOWED)
		return NULL;
	if (!atomic_compare_exchange_strong(&ftsan_pages_of(owner)->window.state, &open,
					    FTSAN_WINDOW_CLAIMED)) {
		wait_for(thread, owner, round);
		return NULL;
	}
	ftsan_pages_of(thread)->rival = ftsan_pages_of(owner)->window;
	if (ftsan_pages_of(thread)->rival.store.slot == slot &&
	    ftsan_pages_of(thread)->rival.round == round &&
	    ftsan_pages_of(thread)->rival.tid ==
		    atomic_load_explicit(&owner->tid, memory_order_relaxed) &&
	    atomic_load_explicit(&ftsan_pages_of(owner)->window.round,
				 memory_order_acquire) == round &&
	    atomic_load_explicit(&ftsan_pages_of(owner)->window.state,
				 memory_order_acquire) == FTSAN_WINDOW_CLAIMED)
		return owner;
	answer(&ftsan_pages_of(owner)->window, FTSAN_WINDOW_OPEN);
	return NULL;
}

static void report_race(struct ftsan_thread *thread, struct ftsan_thread *owner,
			const struct ftsan_access *access)
{
	const struct ftsan_window *rival = &ftsan_pages_of(thread)->rival;
	struct ftsan_site *site = ftsan_site_of(rival->store.ip);
	struct ftsan_object object;
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_RACE,
		.confidence = FTSAN_CONFIRMED,
		.address = rival->store.access.address,
		.has_old = rival->store.has_values,
		.has_new = rival->store.has_new,
		.old_value = (int64_t)rival->store.old_value,
		.new_value = (int64_t)rival->store.new_value,
		.n_parties = 2,
	};

	ftsan_slot_tell(rival->store.slot, &object, &incident);
	ftsan_thread_read_name(owner);
	ftsan_thread_read_name(thread);
	incident.parties[0] = (struct ftsan_party){
		.role = FTSAN_ROLE_WRITE,
		.tid = rival->tid,
		.name = owner->name,
		.access = &rival->store.access,
		.stack = &rival->stack,
	};
	incident.parties[1] = (struct ftsan_party){
		.role = access->role,
		.tid = atomic_load_explicit(&thread->tid, memory_order_relaxed),
		.name = thread->name,
		.access = access,
		.stack = &thread->stack,
	};
	if (ftsan_report(&incident) && site != NULL)
		atomic_store_explicit(&site->proven, true, memory_order_relaxed);
}

static bool is_race(uint32_t slot, const struct ftsan_access *a,
		    const struct ftsan_access *b)
{
	return ftsan_rule_race(ftsan_adapter_of(slot)->extent, a, b);
}

enum ftsan_collision ftsan_collide(struct ftsan_thread *thread, uint32_t slot,
				   const void *ucontext, uint32_t *served)
{
	const struct ftsan_access *access = &ftsan_pages_of(thread)->insn.access;
	struct ftsan_thread *owner = claim(thread, slot);
	uint32_t round;

	if (owner == NULL) {
		owner = owner_of(slot);
		if (owner != NULL && owner != thread)
			end_overdue(owner, slot);
		return FTSAN_COLLISION_RETRY;
	}
	ftsan_count(collisions);
	if (!is_race(slot, &ftsan_pages_of(thread)->rival.store.access, access)) {
		ftsan_count(collisions_harmless);
		round = atomic_load_explicit(&ftsan_pages_of(owner)->window.round,
					     memory_order_acquire);
		answer(&ftsan_pages_of(owner)->window, FTSAN_WINDOW_OPEN);
		/* What it does next may be what the window waits for. */
		if (access->role == FTSAN_ROLE_READ)
			return FTSAN_COLLISION_PASS;
		wait_for(thread, owner, round);
		return FTSAN_COLLISION_RETRY;
	}
	ftsan_stack_capture(&thread->stack, ucontext);
	report_race(thread, owner, access);
	*served = owner->index + 1;
	ftsan_pages_of(thread)->step.round = ftsan_pages_of(thread)->rival.round;
	return access->role == FTSAN_ROLE_READ ? FTSAN_COLLISION_READ
					       : FTSAN_COLLISION_WRITE;
}

/* --- freeing ------------------------------------------------------------------ */

void ftsan_collide_free(uint32_t slot)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_access access = ftsan_slot_free_access(slot);
	struct ftsan_thread *owner;

	if (thread == NULL) {
		ftsan_sys_yield();
		return;
	}
	(void)ftsan_slot_pin(slot);
	owner = claim(thread, slot);
	if (owner != NULL) {
		ftsan_count(collisions);
		if (is_race(slot, &ftsan_pages_of(thread)->rival.store.access, &access)) {
			ftsan_stack_capture_here(&thread->stack);
			report_race(thread, owner, &access);
		}
		answer(&ftsan_pages_of(owner)->window, FTSAN_WINDOW_SERVED);
	}
	ftsan_slot_unpin(slot);
}
