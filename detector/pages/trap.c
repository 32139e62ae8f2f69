#include "pages/trap.h"

#include <sys/mman.h>
#include <ucontext.h>

#include "base/base.h"
#include "pages/collide.h"
#include "pages/guard_config.h"
#include "pages/late_access.h"
#include "pages/pkey.h"
#include "pages/publish.h"
#include "pages/slot.h"
#include "pages/store.h"
#include "pages/window.h"
#include "threads/threads.h"

static bool is_own(const ucontext_t *uc)
{
	const struct ftsan_guard_host *host = ftsan_guard_host;
	uintptr_t ip = ftsan_context_ip(uc);

	return ip - host->own_begin < host->own_end - host->own_begin &&
	       ip - host->canary_begin >= host->canary_end - host->canary_begin;
}

/* reconcile() - the page is stricter than the state says: a change is behind. */
static bool reconcile(uint32_t slot, int protection)
{
	int error;

	ftsan_count(reconciled);
	error = ftsan_slot_protect(slot, 1, protection);
	if (error != 0)
		error = ftsan_slot_protect(slot, 1, PROT_READ | PROT_WRITE);
	/* The state that was read may be past: a page left open would stay so. */
	if (ftsan_word_state(ftsan_slot_word(slot)) == FTSAN_PUBLISHED)
		(void)ftsan_slot_protect(slot, 1, PROT_READ);
	return error == 0;
}

/* on_closed() - the page is nobody's to guard, and the kernel refuses to open it. */
static bool on_closed(struct ftsan_thread *thread, uint32_t slot, ucontext_t *uc)
{
	if (ftsan_context_writes(uc))
		return ftsan_store_closed(thread, slot, uc);
	/* Reading needs no room in any limit. */
	(void)ftsan_slot_protect(slot, 1, PROT_READ);
	return true;
}

/*
 * give_up() - no record of its own for this thread: the buffer goes unguarded. A window
 * whose owner is in another process would never end.
 */
static void give_up(uint32_t slot)
{
	ftsan_count(left_out_thread);
	(void)ftsan_slot_protect(slot, 1, PROT_READ | PROT_WRITE);
}

static bool on_published(struct ftsan_thread *thread, uint32_t slot, ucontext_t *uc)
{
	if (!ftsan_context_writes(uc)) {
		(void)reconcile(slot, PROT_READ);
		return true;
	}
	/* Before the window: a report takes long, and threads that wait for its end would
	 * run the very race together. */
	if (ftsan_guard_host->on_store != NULL) {
		ftsan_window_fill(thread, slot, ftsan_context_ip(uc));
		ftsan_guard_host->on_store(thread, &ftsan_pages_of(thread)->window.store,
					   uc);
	}
	if (!ftsan_window_enter(thread, slot, uc))
		return true;
	ftsan_count(traps);
	ftsan_met(slot);
	return ftsan_store_perform(thread, slot, uc, 0);
}

static bool on_windowed(struct ftsan_thread *thread, uint32_t slot, ucontext_t *uc)
{
	uint32_t served = 0;

	switch (ftsan_collide(thread, slot, uc, &served)) {
	case FTSAN_COLLISION_RETRY:
		return true;
	case FTSAN_COLLISION_PASS:
		return !ftsan_step_pass(thread, slot, uc);
	case FTSAN_COLLISION_READ:
		ftsan_step_serve(thread, slot, uc, served);
		return false;
	case FTSAN_COLLISION_WRITE:
		ftsan_count(traps);
		return ftsan_store_perform(thread, slot, uc, served);
	}
	return true;
}

static bool on_quarantined(struct ftsan_thread *thread, uint32_t slot, ucontext_t *uc)
{
	ftsan_late_access(thread, slot, uc);
	/* The program goes on with the last contents, as it would have (at best)
	 * without us; one report a buffer. */
	if (ftsan_slot_protect(slot, 1, PROT_READ | PROT_WRITE) == 0)
		return true;
	return on_closed(thread, slot, uc);
}

/* dispatch() - true when the pin can go; false: a step keeps it. */
static bool dispatch(struct ftsan_thread *thread, uint32_t slot, uint64_t word,
		     ucontext_t *uc, uintptr_t address)
{
	switch (ftsan_word_state(word)) {
	case FTSAN_FREE:
	case FTSAN_PRIVATE:
		if (reconcile(slot, PROT_READ | PROT_WRITE))
			return true;
		ftsan_decode_fault(&ftsan_pages_of(thread)->insn, uc, address,
				   ftsan_context_writes(uc));
		return on_closed(thread, slot, uc);
	case FTSAN_SEALING:
	case FTSAN_SEALING_DEAD:
	case FTSAN_RECYCLING:
		ftsan_sys_yield();
		return true;
	default:
		break;
	}
	ftsan_decode_fault(&ftsan_pages_of(thread)->insn, uc, address,
			   ftsan_context_writes(uc));
	if (ftsan_word_state(word) == FTSAN_PUBLISHED)
		return on_published(thread, slot, uc);
	if (ftsan_word_state(word) == FTSAN_WINDOWED)
		return on_windowed(thread, slot, uc);
	return on_quarantined(thread, slot, uc);
}

/*
 * is_denied_read() - a read that only the thread's PKRU forbids, which is the kernel's
 * in every signal handler; repaired now. Whatever the state: a page that is inaccessible
 * besides faults again, for that reason alone.
 */
static bool is_denied_read(const siginfo_t *info, ucontext_t *uc)
{
	return info->si_code == SEGV_PKUERR && !ftsan_context_writes(uc) &&
	       ftsan_pkey_allow_reads(uc);
}

/* cancel_step() - also gives up the pin that the step held. */
static void cancel_step(struct ftsan_thread *thread, ucontext_t *uc)
{
	uint32_t slot = ftsan_pages_of(thread)->step.slot;

	if (ftsan_step_cancel(thread, uc))
		ftsan_slot_unpin(slot);
}

bool ftsan_trap_fault(const siginfo_t *info, void *ucontext)
{
	ucontext_t *uc = ucontext;
	uintptr_t address = (uintptr_t)info->si_addr;
	struct ftsan_thread *thread;
	uint32_t slot;

	/* si_code above 0 is the kernel's own; kill() and friends have none. */
	if (!ftsan_guard_ready() || info->si_code <= 0)
		return false;
	ftsan_pkey_enter();
	thread = ftsan_thread_self();
	if (thread != NULL)
		cancel_step(thread, uc);
	if (!ftsan_arena_holds(address) || ftsan_context_fetches(uc))
		return false;
	if (is_denied_read(info, uc))
		return true;
	slot = ftsan_slot_of(address);
	if (thread == NULL || ftsan_thread_is_copy(thread)) {
		give_up(slot);
		return true;
	}
	if (is_own(uc)) {
		ftsan_count(own_faults);
		(void)reconcile(slot, PROT_READ | PROT_WRITE);
		return true;
	}
	if (dispatch(thread, slot, ftsan_slot_pin(slot), uc, address))
		ftsan_slot_unpin(slot);
	return true;
}

bool ftsan_trap_step(void *ucontext)
{
	struct ftsan_thread *thread;
	uint32_t slot;

	if (!ftsan_guard_ready())
		return false;
	ftsan_pkey_enter();
	thread = ftsan_thread_self();
	if (thread == NULL)
		return false;
	slot = ftsan_pages_of(thread)->step.slot;
	if (!ftsan_step_finish(thread, ucontext))
		return false;
	ftsan_slot_unpin(slot);
	return true;
}
