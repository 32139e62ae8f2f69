#include "pages/store.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/base.h"
#include "pages/collide.h"
#include "pages/pkey.h"
#include "pages/slot.h"
#include "pages/window.h"

#define NO_KEY "; protection keys are not available: "

/* Set once at start. */
static bool emulates;
static int key_error; /* why there is no key though one was asked for */

int ftsan_store_init(const char *choice)
{
	bool asks_for_key = strcmp(choice, "pkey") == 0;

	if (strcmp(choice, "step") == 0)
		emulates = false;
	else if (asks_for_key || strcmp(choice, "auto") == 0 ||
		 strcmp(choice, "emulate") == 0)
		emulates = ftsan_mem_writable() && ftsan_decode_available();
	else
		return -EINVAL;
	key_error = asks_for_key ? ftsan_pkey_init() : 0;
	return 0;
}

const char *ftsan_store_name(void)
{
	if (ftsan_pkey() != 0)
		return "pkey";
	if (key_error == -ENOSPC)
		return emulates ? "emulate" NO_KEY "all are taken"
				: "step" NO_KEY "all are taken";
	if (key_error != 0)
		return emulates ? "emulate" NO_KEY "the CPU or the kernel has none"
				: "step" NO_KEY "the CPU or the kernel has none";
	return emulates ? "emulate" : "step";
}

/* --- single steps ------------------------------------------------------------- */

static void arm(struct ftsan_thread *thread, ucontext_t *uc, enum ftsan_step_kind kind,
		uint32_t slot, uint32_t served)
{
	struct ftsan_step *step = &ftsan_pages_of(thread)->step;

	step->kind = kind;
	step->slot = slot;
	step->served = served;
	step->closed = false;
	ftsan_context_begin_step(uc, &step->mask);
}

static void disarm(struct ftsan_thread *thread, ucontext_t *uc)
{
	ftsan_context_end_step(uc, &ftsan_pages_of(thread)->step.mask);
}

/* close_again() - the window that a read was let through goes on, unless it ended. */
static void close_again(uint32_t slot)
{
	if (ftsan_word_state(ftsan_slot_word(slot)) != FTSAN_WINDOWED)
		return;
	(void)ftsan_slot_protect(slot, 1, PROT_NONE);
	switch (ftsan_word_state(ftsan_slot_word(slot))) {
	case FTSAN_WINDOWED:
	case FTSAN_QUARANTINED:
		break;
	case FTSAN_PUBLISHED:
		(void)ftsan_slot_protect(slot, 1, PROT_READ);
		break;
	default:
		(void)ftsan_slot_protect(slot, 1, PROT_READ | PROT_WRITE);
	}
}

/*
 * settle() - the access is done: whoever waited for it goes on. A colliding access
 * leaves the page open: its race is proven, and the next store of the same operation
 * has to find the owner of the window ahead of it, not waiting at its side.
 */
static void settle(struct ftsan_thread *thread, uint32_t slot)
{
	if (ftsan_pages_of(thread)->step.kind == FTSAN_STEP_PASS) {
		close_again(slot);
		return;
	}
	if (ftsan_pages_of(thread)->step.closed)
		return;
	if (ftsan_pages_of(thread)->step.served == 0) {
		ftsan_window_leave(thread);
		return;
	}
	if (ftsan_word_state(ftsan_slot_word(slot)) == FTSAN_WINDOWED)
		(void)ftsan_slot_protect(slot, 1, PROT_READ | PROT_WRITE);
	ftsan_window_release(ftsan_pages_of(thread)->step.served,
			     ftsan_pages_of(thread)->step.round);
}

static void end(struct ftsan_thread *thread, ucontext_t *uc)
{
	disarm(thread, uc);
	settle(thread, ftsan_pages_of(thread)->step.slot);
	ftsan_pages_of(thread)->step.kind = FTSAN_STEP_NONE;
}

bool ftsan_step_finish(struct ftsan_thread *thread, void *ucontext)
{
	struct ftsan_step *step = &ftsan_pages_of(thread)->step;
	ucontext_t *uc = ucontext;

	switch (step->kind) {
	case FTSAN_STEP_NONE:
		return false;
	case FTSAN_STEP_REDIRECT:
		ftsan_context_move(uc, step->base, -step->delta);
		(void)ftsan_mem_write(step->address,
				      thread->scratch + step->address % FTSAN_PAGE,
				      step->size);
		break;
	case FTSAN_STEP_OPEN:
		(void)ftsan_slot_protect(step->slot, 1, PROT_READ);
		break;
	case FTSAN_STEP_KEY:
		ftsan_pkey_close(uc);
		break;
	case FTSAN_STEP_PASS:
	case FTSAN_STEP_SERVE:
		break;
	}
	end(thread, uc);
	return true;
}

bool ftsan_step_cancel(struct ftsan_thread *thread, void *ucontext)
{
	struct ftsan_step *step = &ftsan_pages_of(thread)->step;
	ucontext_t *uc = ucontext;

	if (step->kind == FTSAN_STEP_NONE)
		return false;
	if (step->kind == FTSAN_STEP_REDIRECT)
		ftsan_context_move(uc, step->base, -step->delta);
	if (step->kind == FTSAN_STEP_OPEN)
		(void)ftsan_slot_protect(step->slot, 1, PROT_READ);
	if (step->kind == FTSAN_STEP_KEY)
		ftsan_pkey_close(uc);
	/* A store across two sealed pages faults on one while the other is open, and
	 * would for ever: so this one is unsealed. */
	if (step->kind != FTSAN_STEP_PASS && !step->closed)
		ftsan_pages_of(thread)->window.cools = true;
	end(thread, uc);
	return true;
}

/* --- stores ------------------------------------------------------------------- */

/* store_keyed() - for a held up store, and for one that collided, the page may be
 * inaccessible: then it is sealed again first, and only this thread gets further. */
static bool store_keyed(struct ftsan_thread *thread, uint32_t slot, ucontext_t *uc,
			uint32_t served)
{
	if (ftsan_pkey() == 0)
		return false;
	if ((ftsan_pages_of(thread)->window.held || served != 0) &&
	    ftsan_slot_protect(slot, 1, PROT_READ) != 0)
		return false;
	if (!ftsan_pkey_open(uc))
		return false;
	arm(thread, uc, FTSAN_STEP_KEY, slot, served);
	ftsan_count(traps_key);
	return true;
}

static bool store_direct(struct ftsan_thread *thread, ucontext_t *uc)
{
	const struct ftsan_insn *insn = &ftsan_pages_of(thread)->insn;

	if (!emulates || insn->plan != FTSAN_PLAN_DIRECT ||
	    ftsan_mem_write(insn->access.address, insn->value, insn->access.size) != 0)
		return false;
	ftsan_context_set_ip(uc, ftsan_context_ip(uc) + insn->length);
	ftsan_count(traps_direct);
	return true;
}

static bool store_redirected(struct ftsan_thread *thread, uint32_t slot, ucontext_t *uc,
			     uint32_t served)
{
	const struct ftsan_insn *insn = &ftsan_pages_of(thread)->insn;
	struct ftsan_step *step = &ftsan_pages_of(thread)->step;
	unsigned char *copy = thread->scratch + insn->access.address % FTSAN_PAGE;

	if (!emulates || insn->plan != FTSAN_PLAN_REDIRECT ||
	    ftsan_mem_read(copy, insn->access.address, insn->access.size) != 0)
		return false;
	step->base = insn->base;
	step->address = insn->access.address;
	step->size = insn->access.size;
	step->delta = (intptr_t)copy - (intptr_t)insn->access.address;
	ftsan_context_move(uc, step->base, step->delta);
	arm(thread, uc, FTSAN_STEP_REDIRECT, slot, served);
	ftsan_count(traps_redirected);
	return true;
}

static void store_opened(struct ftsan_thread *thread, uint32_t slot, ucontext_t *uc,
			 uint32_t served)
{
	(void)ftsan_slot_protect(slot, 1, PROT_READ | PROT_WRITE);
	arm(thread, uc, FTSAN_STEP_OPEN, slot, served);
	ftsan_count(traps_stepped);
}

bool ftsan_store_perform(struct ftsan_thread *thread, uint32_t slot, void *ucontext,
			 uint32_t served)
{
	if (store_keyed(thread, slot, ucontext, served))
		return false;
	if (store_direct(thread, ucontext)) {
		ftsan_pages_of(thread)->step.served = served;
		ftsan_pages_of(thread)->step.closed = false;
		settle(thread, slot);
		return true;
	}
	if (!store_redirected(thread, slot, ucontext, served))
		store_opened(thread, slot, ucontext, served);
	return false;
}

bool ftsan_store_closed(struct ftsan_thread *thread, uint32_t slot, void *ucontext)
{
	ftsan_count(traps);
	if (store_direct(thread, ucontext))
		return true;
	ftsan_pages_of(thread)->step.closed = store_redirected(thread, slot, ucontext, 0);
	return !ftsan_pages_of(thread)->step.closed;
}

bool ftsan_step_pass(struct ftsan_thread *thread, uint32_t slot, void *ucontext)
{
	if (ftsan_slot_protect(slot, 1, PROT_READ) != 0)
		return false;
	/* Freed meanwhile, and closed for that. */
	if (ftsan_word_state(ftsan_slot_word(slot)) == FTSAN_QUARANTINED)
		(void)ftsan_slot_protect(slot, 1, PROT_NONE);
	arm(thread, ucontext, FTSAN_STEP_PASS, slot, 0);
	return true;
}

void ftsan_step_serve(struct ftsan_thread *thread, uint32_t slot, void *ucontext,
		      uint32_t served)
{
	if (ftsan_slot_protect(slot, 1, PROT_READ) != 0)
		(void)ftsan_slot_protect(slot, 1, PROT_READ | PROT_WRITE);
	/* The thread may be in a signal handler, where the kernel denies it reads. */
	(void)ftsan_pkey_allow_reads(ucontext);
	arm(thread, ucontext, FTSAN_STEP_SERVE, slot, served);
}
