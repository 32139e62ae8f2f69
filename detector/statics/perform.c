/*
 * Performing a store to a sealed page: written through /proc/self/mem where the bytes are
 * known, made on a copy where a register can be moved there, and else with the page
 * opened for one instruction.
 */
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/base.h"
#include "statics/store.h"
#include "threads/threads.h"

static void arm(struct static_step *step, ucontext_t *uc, enum static_step_kind kind)
{
	step->kind = kind;
	step->pc = ftsan_context_ip(uc);
	ftsan_context_begin_step(uc, &step->mask);
}

static void disarm(struct static_step *step, ucontext_t *uc)
{
	ftsan_context_end_step(uc, &step->mask);
	step->kind = STATIC_STEP_NONE;
}

static uintptr_t word_of(const struct static_store *store)
{
	return store->access.address & ~(uintptr_t)7;
}

static void set_new(struct static_store *store, const unsigned char *bytes)
{
	uint32_t at = store->access.address % 8, size = store->access.size;

	if (at + size > 8)
		size = 8 - at;
	store->new = store->old;
	memcpy((unsigned char *)&store->new + at, bytes, size);
	store->has_new = true;
}

static bool perform_direct(struct static_thread *own, struct ftsan_thread *thread,
			   ucontext_t *uc)
{
	const struct ftsan_insn *insn = &own->insn;

	if (insn->plan != FTSAN_PLAN_DIRECT || !ftsan_mem_writable())
		return false;
	set_new(&own->store, insn->value);
	/* Into the log first: what the store breaks may break everything. */
	static_settle(own, thread, uc);
	if (ftsan_mem_write(insn->access.address, insn->value, insn->access.size) != 0)
		return false;
	ftsan_context_set_ip(uc, ftsan_context_ip(uc) + insn->length);
	return true;
}

static bool perform_redirected(struct static_thread *own, struct ftsan_thread *thread,
			       ucontext_t *uc)
{
	const struct ftsan_insn *insn = &own->insn;
	struct static_step *step = &own->step;
	unsigned char *copy = thread->scratch + insn->access.address % FTSAN_PAGE;

	if (insn->plan != FTSAN_PLAN_REDIRECT || !ftsan_mem_writable() ||
	    ftsan_mem_read(copy, insn->access.address, insn->access.size) != 0)
		return false;
	step->base = insn->base;
	step->address = insn->access.address;
	step->size = insn->access.size;
	step->delta = (intptr_t)copy - (intptr_t)insn->access.address;
	step->n_pages = 0;
	ftsan_context_move(uc, step->base, step->delta);
	arm(step, uc, STATIC_STEP_REDIRECT);
	return true;
}

static void open_for_step(struct static_page *page)
{
	(void)ftsan_sys_protect(
		(void *)atomic_load_explicit(&page->page, memory_order_relaxed),
		FTSAN_PAGE, PROT_READ | PROT_WRITE);
}

static void perform_opened(struct static_thread *own, ucontext_t *uc)
{
	own->step.n_pages = 1;
	own->step.pages[0] = own->store.page;
	open_for_step(own->store.page);
	arm(&own->step, uc, STATIC_STEP_OPEN);
	static_pages_stepped();
}

bool static_perform(struct static_thread *own, struct ftsan_thread *thread,
		    void *ucontext)
{
	if (own->store.repeated) {
		/* Many stores in one instruction, and a trap after each. */
		static_settle(own, thread, ucontext);
		static_page_open(own->store.page, 10u * 1000 * 1000);
		return true;
	}
	if (perform_direct(own, thread, ucontext))
		return true;
	if (!perform_redirected(own, thread, ucontext))
		perform_opened(own, ucontext);
	return false;
}

void static_step_read(struct static_thread *own, struct ftsan_thread *thread,
		      void *ucontext, bool serves)
{
	struct static_page *page = own->store.page;

	(void)thread;
	(void)ftsan_sys_protect(
		(void *)atomic_load_explicit(&page->page, memory_order_relaxed),
		FTSAN_PAGE, PROT_READ);
	own->step.n_pages = 1;
	own->step.pages[0] = page;
	own->step.serves = serves;
	arm(&own->step, ucontext, STATIC_STEP_READ);
}

/* static_step_more() - the instruction touches @address, too: another sealed page, or
 * one that was sealed again under it. */
bool static_step_more(struct static_thread *own, uintptr_t address)
{
	struct static_page *page = static_page_of(address);
	struct static_step *step = &own->step;

	if (page == NULL)
		return false;
	for (unsigned i = 0; i < step->n_pages; i++) {
		if (step->pages[i] == page) {
			open_for_step(page);
			return true;
		}
	}
	if (step->n_pages == STATIC_STEP_PAGES)
		return false;
	step->pages[step->n_pages++] = page;
	open_for_step(page);
	return true;
}

static void close_pages(struct static_step *step)
{
	for (unsigned i = 0; i < step->n_pages; i++)
		static_page_protect(step->pages[i]);
	step->n_pages = 0;
}

static void finish_store(struct static_thread *own, struct ftsan_thread *thread,
			 const ucontext_t *uc)
{
	struct static_store *store = &own->store;
	struct static_step *step = &own->step;

	if (step->kind == STATIC_STEP_REDIRECT) {
		const unsigned char *copy = thread->scratch + step->address % FTSAN_PAGE;

		set_new(store, copy);
		static_settle(own, thread, uc);
		(void)ftsan_mem_write(step->address, copy, step->size);
		return;
	}
	store->has_new = ftsan_safe_u64(word_of(store), &store->new);
	static_settle(own, thread, uc);
}

void static_step_finish(struct static_thread *own, struct ftsan_thread *thread,
			void *ucontext)
{
	struct static_step *step = &own->step;
	ucontext_t *uc = ucontext;
	bool serves = step->serves;

	if (step->kind == STATIC_STEP_REDIRECT)
		ftsan_context_move(uc, step->base, -step->delta);
	if (step->kind != STATIC_STEP_READ)
		finish_store(own, thread, uc);
	close_pages(step);
	step->serves = false;
	disarm(step, uc);
	if (serves)
		static_window_serve();
}

void static_step_cancel(struct static_thread *own, void *ucontext)
{
	struct static_step *step = &own->step;
	ucontext_t *uc = ucontext;

	if (step->kind == STATIC_STEP_NONE)
		return;
	if (step->kind == STATIC_STEP_REDIRECT)
		ftsan_context_move(uc, step->base, -step->delta);
	close_pages(step);
	if (step->serves)
		static_window_serve();
	step->serves = false;
	disarm(step, uc);
}
