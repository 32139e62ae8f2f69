#include "pages/collide.h"

#include <sys/mman.h>

#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "pages/guard_config.h"
#include "pages/slot.h"
#include "pages/slot_tell.h"
#include "pages/window.h"
#include "rules/rules.h"

/* A thread that runs into somebody's window looks again at least this often. */
static const uint64_t RETRY_NS = 2u * 1000 * 1000;

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
						   thread->index % 4 *
							   FTSAN_WINDOW_HEAD_START_NS);
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
	if (ftsan_sys_now_ns() < deadline + FTSAN_WINDOW_CLAIM_NS ||
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
	incident.parties[0] = (struct ftsan_party){
		.role = FTSAN_ROLE_WRITE,
		.tid = rival->tid,
		.name = owner->name,
		.access = &rival->store.access,
		.stack = &rival->stack,
	};
	incident.parties[1] = ftsan_party_of(thread, access->role, access);
	if (ftsan_report(&incident))
		ftsan_site_prove(rival->store.ip);
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
