#include "statics/config.h"
#include "statics/statics.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/base.h"
#include "stacks/stacks.h"
#include "statics/store.h"
#include "threads/threads.h"

/* For a store of our own: a patch of a method table. */
static const uint64_t OWN_NS = 10u * 1000 * 1000;

static enum ftsan_grade grade_of(const char *name)
{
	return strcmp(name, "high") == 0  ? FTSAN_GRADE_HIGH
	       : strcmp(name, "low") == 0 ? FTSAN_GRADE_LOW
					  : FTSAN_GRADE_MEDIUM;
}

const char *ftsan_statics_choice(const struct ftsan_options *options)
{
	return strcmp(options->statics, "auto") == 0 ? "site" : options->statics;
}

int ftsan_statics_init(const struct ftsan_options *options,
		       const struct ftsan_static_host *host)
{
	/* An attach before may have had it on. */
	atomic_store_explicit(&static_switch.on, false, memory_order_relaxed);
	if (strcmp(ftsan_statics_choice(options), "off") == 0)
		return 0;
	if (static_table_init() != 0)
		return -ENOMEM;
	static_config = (struct static_config){
		.latent = ftsan_options_latent(options),
		.race = ftsan_options_race(options),
		.free_threaded = host->abi->free_threaded,
		.grade = grade_of(options->grade),
		.inventory = options->inventory,
		.window_ns = (uint64_t)options->window_us * 1000,
		.windows = options->windows,
		.budget_percent = options->window_budget,
		.began_ns = ftsan_sys_now_ns(),
		.interpreter = ftsan_module_of(host->interpreter),
		.host = host,
	};
	/* What an attach before has sealed is to be sealed anew. */
	static_areas_forget();
	static_pages_begin();
	atomic_store_explicit(&static_switch.halted, false, memory_order_relaxed);
	atomic_store_explicit(&static_switch.on, true, memory_order_release);
	return 0;
}

_Static_assert(sizeof(struct static_thread) <=
		       sizeof(((struct ftsan_thread *)0)->part_statics),
	       "the record has room for it");

struct static_thread *static_thread_of(const struct ftsan_thread *thread)
{
	return FTSAN_THREAD_PART(thread, statics);
}

static void poll_all(bool all)
{
	uint64_t now = ftsan_sys_now_ns();

	static_pages_poll(now);
	static_hazards_poll(now, all);
}

void ftsan_statics_poll(void)
{
	if (ftsan_statics_on())
		poll_all(false);
}

void ftsan_statics_ending(void)
{
	static_config.ending = true;
}

void ftsan_statics_flush(void)
{
	if (ftsan_statics_on())
		poll_all(true);
}

/* --- faults ----------------------------------------------------------------------- */

static void begin(struct static_thread *own, struct static_page *page,
		  const ucontext_t *uc, uintptr_t address)
{
	struct static_store *store = &own->store;
	uint16_t index = atomic_load_explicit(&page->module, memory_order_relaxed);

	ftsan_decode_fault(&own->insn, uc, address, ftsan_context_writes(uc));
	memset(store, 0, offsetof(struct static_store, held));
	store->page = page;
	store->module = static_module_at(index);
	store->access = own->insn.access;
	store->rmw = own->insn.rmw;
	store->repeated = own->insn.repeated;
	store->pc = ftsan_context_ip(uc);
	store->sp = ftsan_context_sp(uc);
}

static void fill_store(struct static_thread *own, struct ftsan_thread *thread,
		       const ucontext_t *uc)
{
	struct static_store *store = &own->store;

	store->word = static_word_of(store->access.address);
	store->writer =
		static_writer_of(store->pc, store->access.address, &store->is_new);
	(void)ftsan_safe_u64(store->access.address & ~(uintptr_t)7, &store->old);
	static_observe(own, thread, uc);
}

/* The access is recorded, and somebody's window is at its page. */
static bool meet(struct static_thread *own, struct ftsan_thread *thread, ucontext_t *uc)
{
	enum static_meeting meeting = static_meet(own, thread, uc);

	if (meeting == STATIC_MEET_RETRY)
		return true;
	if (!ftsan_context_writes(uc)) {
		static_step_read(own, thread, uc, meeting == STATIC_MEET_RACED);
		return true;
	}
	own->step.serves = meeting == STATIC_MEET_RACED;
	if (static_perform(own, thread, uc) && own->step.serves) {
		own->step.serves = false;
		static_window_serve();
	}
	return true;
}

static bool on_sealed(struct static_thread *own, struct ftsan_thread *thread,
		      struct static_page *page, ucontext_t *uc, uintptr_t address)
{
	if (!ftsan_context_writes(uc)) {
		static_page_protect(page);
		return true;
	}
	ftsan_count(statics_traps);
	begin(own, page, uc, address);
	atomic_fetch_add_explicit(&own->store.module->traps, 1, memory_order_relaxed);
	if (static_note_thread(own->store.module,
			       atomic_load_explicit(&thread->tid, memory_order_relaxed)))
		static_pages_shared(own->store.module);
	fill_store(own, thread, uc);
	if (static_page_is_hot(page, &own->store)) {
		/* Nothing new, and too often: the store is made with the page open. */
		static_page_open_hot(page, &own->store);
		return true;
	}
	if (!static_window(own, thread, uc) && static_window_is_at(page))
		return meet(own, thread, uc);
	(void)static_perform(own, thread, uc);
	return true;
}

static bool on_window(struct static_thread *own, struct ftsan_thread *thread,
		      struct static_page *page, ucontext_t *uc, uintptr_t address)
{
	begin(own, page, uc, address);
	if (ftsan_context_writes(uc))
		fill_store(own, thread, uc);
	return meet(own, thread, uc);
}

static bool dispatch(struct static_thread *own, struct ftsan_thread *thread,
		     struct static_page *page, ucontext_t *uc, uintptr_t address)
{
	switch (atomic_load_explicit(&page->state, memory_order_acquire)) {
	case STATIC_PAGE_SEALED:
		return on_sealed(own, thread, page, uc, address);
	case STATIC_PAGE_WINDOW:
		return on_window(own, thread, page, uc, address);
	case STATIC_PAGE_OPEN:
		static_page_protect(page);
		return true;
	default:
		return false;
	}
}

static bool is_own(uintptr_t ip)
{
	return ip - static_config.host->own_begin <
	       static_config.host->own_end - static_config.host->own_begin;
}

bool ftsan_statics_fault(const siginfo_t *info, void *ucontext)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	ucontext_t *uc = ucontext;
	struct ftsan_thread *thread;
	struct static_page *page;
	struct static_thread *own;

	if (info->si_code <= 0 || !ftsan_statics_near(address) ||
	    ftsan_context_fetches(uc))
		return false;
	page = static_page_of(address);
	if (page == NULL)
		return false;
	thread = ftsan_thread_self();
	/* No record of its own, or another process's memory: it goes unwatched. */
	if (thread == NULL || ftsan_thread_is_copy(thread) ||
	    is_own(ftsan_context_ip(uc))) {
		static_page_open(page, OWN_NS);
		return true;
	}
	own = static_thread_of(thread);
	if (own->step.kind != STATIC_STEP_NONE) {
		if (static_step_more(own, address))
			return true;
		static_step_cancel(own, uc);
	}
	if (!dispatch(own, thread, page, uc, address))
		return false;
	poll_all(false);
	return true;
}

/* The window goes on; who reads there meanwhile isn't met any more. */
bool ftsan_statics_let_read(const siginfo_t *info, const void *ucontext)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	struct static_page *page;

	if (info->si_code <= 0 || !ftsan_statics_near(address) ||
	    ftsan_context_writes(ucontext))
		return false;
	page = static_page_of(address);
	if (page == NULL ||
	    atomic_load_explicit(&page->state, memory_order_acquire) == STATIC_PAGE_GONE)
		return false;
	if (ftsan_sys_protect((void *)(address & ~(uintptr_t)(FTSAN_PAGE - 1)),
			      FTSAN_PAGE, PROT_READ) != 0)
		return false;
	/* The window may have ended meanwhile: then the page is what its state says. */
	if (atomic_load_explicit(&page->state, memory_order_acquire) !=
	    STATIC_PAGE_WINDOW)
		static_page_protect(page);
	return true;
}

void ftsan_statics_interrupted(const siginfo_t *info, void *ucontext)
{
	struct ftsan_thread *thread = ftsan_thread_mine;
	uintptr_t address = (uintptr_t)info->si_addr;

	if (thread == NULL || info->si_code <= 0 ||
	    static_thread_of(thread)->step.kind == STATIC_STEP_NONE)
		return;
	if (!ftsan_statics_near(address) || static_page_of(address) == NULL)
		static_step_cancel(static_thread_of(thread), ucontext);
}

bool ftsan_statics_step(void *ucontext)
{
	struct ftsan_thread *thread = ftsan_thread_mine;

	if (thread == NULL || static_thread_of(thread)->step.kind == STATIC_STEP_NONE)
		return false;
	static_step_finish(static_thread_of(thread), thread, ucontext);
	return true;
}

bool ftsan_statics_busy(const struct ftsan_thread *thread)
{
	return static_thread_of(thread)->step.kind != STATIC_STEP_NONE;
}

/* --- the end ---------------------------------------------------------------------- */

void ftsan_statics_halt(bool halt)
{
	if (!atomic_load_explicit(&static_switch.on, memory_order_acquire))
		return;
	if (!halt) {
		atomic_store_explicit(&static_switch.halted, false, memory_order_relaxed);
		return;
	}
	poll_all(true);
	atomic_store_explicit(&static_switch.halted, true, memory_order_relaxed);
	static_areas_open();
}

void ftsan_statics_fork_child(void)
{
	static_records_fork_child();
	static_pages_fork_child();
	static_window_fork_child();
	if (static_config.inventory)
		static_writers_begin_anew();
	static_config.began_ns = ftsan_sys_now_ns();
}

void ftsan_statics_thread_end(struct ftsan_thread *thread)
{
	static_thread_of(thread)->n_runs = 0;
	static_thread_of(thread)->step.kind = STATIC_STEP_NONE;
}
