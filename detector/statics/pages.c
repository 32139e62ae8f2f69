/*
 * Sealing and opening. A page that traps too often is left open for a while, twice as
 * long each time: what it holds is known by then, and a program must not pay for it for
 * ever.
 */
#include <stddef.h>
#include <sys/mman.h>

#include "base/base.h"
#include "budget/budget.h"
#include "statics/config.h"
#include "statics/statics.h"
#include "statics/store.h"
#include "threads/threads.h"

enum {
	OPEN_MAX = 1024, /* pages that are open for a while */
	PENALTY_MAX = 64,
	PENALTY_RACE = 8, /* windows open on sealed pages only */
};

/*
 * Traps that bring nothing new, in one period, before a page is left open; traps in a row
 * of words that are none of our business, whenever they come. What is new counts only
 * where a lot of it comes at once, and the budget is spent.
 */
enum { BURST = 48, BURST_WHEN_OVER_BUDGET = 3, BURST_INVENTORY = 400, BORING = 24 };
enum { BURST_NEW = 64 };
/* Of a thread that holds the GIL, whose stores are not held up. */
enum { BURST_TURNS = 8 };
static const uint64_t PERIOD_NS = 10u * 1000 * 1000;

/*
 * What a trap costs, signal and step and all, and how much of the processor's time they
 * may take together, in percent. A run that has just begun may spend the rest first.
 * Whoever asks for an inventory would rather have it complete.
 */
enum { TRAP_NS = 8000 };
/* More where the page is opened: with several threads other processors have to be told.
 */
enum { STEP_ALONE_NS = 4000, STEP_NS = 32000 };
enum { LATENT_PERCENT = 8, RACE_PERCENT = 2, INVENTORY_PERCENT = 30 };
enum { LATENT_BURST_MS = 300, RACE_BURST_MS = 60 };
static const uint64_t SHARED_NS = 20u * 1000 * 1000;
static struct ftsan_share traps;

static struct static_page *_Atomic open_pages[OPEN_MAX];
static _Atomic unsigned n_open;	  /* places ever used */
static _Atomic uint64_t next_due; /* when the first one is to be sealed; 0: none */
static _Atomic uint32_t polling;
static _Atomic uint32_t frozen;

static bool over_budget(void)
{
	uint32_t percent = static_config.inventory ? INVENTORY_PERCENT
			   : static_config.latent  ? LATENT_PERCENT
						   : RACE_PERCENT;
	uint64_t first_ms = static_config.latent ? LATENT_BURST_MS : RACE_BURST_MS;

	return ftsan_share_is_spent(&traps, first_ms * 1000000, percent);
}

void static_pages_stepped(void)
{
	ftsan_count(statics_stepped);
	ftsan_share_spend(&traps, ftsan_threads_alive() > 1 ? STEP_NS : STEP_ALONE_NS);
}

void static_pages_shared(const struct static_module *module)
{
	ftsan_share_forgive(&traps, SHARED_NS);
	for (uintptr_t at = module->begin; at < module->end; at += FTSAN_PAGE) {
		struct static_page *page = static_page_of(at);

		if (page != NULL)
			atomic_store_explicit(&page->penalty, 0, memory_order_relaxed);
	}
}

/* A lock's word in a loop: the page is worth nothing just now. */
static bool is_boring(struct static_page *page, const struct static_store *store)
{
	uint8_t n = atomic_load_explicit(&page->boring, memory_order_relaxed);

	if (static_config.inventory)
		return false;
	n = (uint8_t)(store->boring ? n + 1 : 0);
	if (n > BORING)
		n = 0;
	atomic_store_explicit(&page->boring, n, memory_order_relaxed);
	return store->boring && n == 0;
}

/* Nothing but a window is opened for it in mode race, and threads that take turns get
 * none. */
static bool shows_nothing(const struct static_store *store)
{
	return !static_config.latent && !static_config.inventory && !store->boring &&
	       static_takes_turns(store);
}

static uint32_t burst_of(const struct static_store *store)
{
	if (static_config.inventory)
		return BURST_INVENTORY;
	return shows_nothing(store) ? BURST_TURNS : BURST;
}

/*
 * What follows a burst of stores under the GIL, a generator that is seeded, is what the
 * same call does once it has let the GIL go: the page is to be sealed by then.
 */
void static_page_open_hot(struct static_page *page, const struct static_store *store)
{
	static_page_open(page, shows_nothing(store) ? PERIOD_NS : 0);
}

bool static_page_is_hot(struct static_page *page, const struct static_store *store)
{
	uint64_t period = ftsan_sys_now_ns() / PERIOD_NS;
	uint32_t burst;

	ftsan_share_spend(&traps, TRAP_NS);
	if (is_boring(page, store))
		return true;
	if (atomic_exchange_explicit(&page->burst_period, period, memory_order_relaxed) !=
	    period) {
		atomic_store_explicit(&page->burst, 0, memory_order_relaxed);
		atomic_store_explicit(&page->burst_new, 0, memory_order_relaxed);
		return false;
	}
	if (store->is_new)
		return atomic_fetch_add_explicit(&page->burst_new, 1,
						 memory_order_relaxed) >= BURST_NEW &&
		       over_budget();
	burst = atomic_fetch_add_explicit(&page->burst, 1, memory_order_relaxed) + 1;
	return burst > burst_of(store) ||
	       (burst > BURST_WHEN_OVER_BUDGET && over_budget());
}

void static_page_protect(struct static_page *page)
{
	int protection;

	switch (atomic_load_explicit(&page->state, memory_order_acquire)) {
	case STATIC_PAGE_SEALED:
		protection = PROT_READ;
		break;
	case STATIC_PAGE_OPEN:
		protection = PROT_READ | PROT_WRITE;
		break;
	case STATIC_PAGE_WINDOW:
		protection = atomic_load_explicit(&page->has_locks, memory_order_relaxed)
				     ? PROT_READ
				     : PROT_NONE;
		break;
	default:
		return;
	}
	if (ftsan_sys_protect(
		    (void *)atomic_load_explicit(&page->page, memory_order_relaxed),
		    FTSAN_PAGE, protection) != 0)
		(void)ftsan_sys_protect(
			(void *)atomic_load_explicit(&page->page, memory_order_relaxed),
			FTSAN_PAGE, PROT_READ | PROT_WRITE);
}

static bool remember_open(struct static_page *page)
{
	unsigned n = atomic_load_explicit(&n_open, memory_order_relaxed);

	for (unsigned i = 0; i < OPEN_MAX; i++) {
		struct static_page *none = NULL;

		if (!atomic_compare_exchange_strong(&open_pages[i], &none, page))
			continue;
		while (n <= i && !atomic_compare_exchange_weak(&n_open, &n, i + 1))
			;
		return true;
	}
	return false;
}

static struct static_module *module_of(const struct static_page *page)
{
	return static_module_at(
		atomic_load_explicit(&page->module, memory_order_relaxed));
}

static bool become_open(struct static_page *page, uint64_t until)
{
	uint8_t sealed = STATIC_PAGE_SEALED;

	atomic_store_explicit(&page->open_until, until, memory_order_relaxed);
	if (!atomic_compare_exchange_strong(&page->state, &sealed, STATIC_PAGE_OPEN))
		return false;
	ftsan_count(statics_opened);
	atomic_store_explicit(&page->open_since, ftsan_sys_now_ns(),
			      memory_order_relaxed);
	if (atomic_load_explicit(&page->has_atomics, memory_order_relaxed) &&
	    !atomic_exchange_explicit(&page->counted, true, memory_order_relaxed))
		atomic_fetch_add_explicit(&module_of(page)->open_locks, 1,
					  memory_order_relaxed);
	static_page_protect(page);
	return true;
}

void static_page_open(struct static_page *page, uint64_t for_ns)
{
	uint8_t penalty = atomic_load_explicit(&page->penalty, memory_order_relaxed);
	uint64_t now = ftsan_sys_now_ns(), until, due;

	if (for_ns == 0) {
		penalty = penalty == 0 ? 1 : penalty;
		for_ns = penalty * PERIOD_NS;
		if (penalty < (static_config.race ? PENALTY_RACE : PENALTY_MAX))
			penalty = (uint8_t)(2 * penalty);
		atomic_store_explicit(&page->penalty, penalty, memory_order_relaxed);
	}
	until = now + for_ns;
	if (!become_open(page, until))
		return;
	/* Without a place in the list it stays open. */
	if (!remember_open(page))
		return;
	due = atomic_load_explicit(&next_due, memory_order_relaxed);
	while ((due == 0 || until < due) &&
	       !atomic_compare_exchange_weak(&next_due, &due, until))
		;
}

void static_page_surely_open(struct static_page *page, uint64_t for_ns)
{
	enum { PATIENCE = 100, WAIT_NS = 100000 };

	/* Who is sealing just now does not know yet of the call, or that it is for good.
	 */
	for (unsigned i = 0; i < PATIENCE && atomic_load(&polling) != 0; i++)
		ftsan_sys_sleep(WAIT_NS);
	for (;;) {
		uint8_t state = atomic_load(&page->state);

		if (state == STATIC_PAGE_WINDOW)
			ftsan_sys_sleep(WAIT_NS);
		else if (state == STATIC_PAGE_SEALED)
			static_page_open(page, for_ns);
		else
			return;
	}
}

void static_page_leave_open(struct static_page *page)
{
	atomic_store(&page->for_good, true);
	static_page_surely_open(page, PERIOD_NS);
}

static void seal_again(struct static_page *page, uint64_t now)
{
	uint8_t open = STATIC_PAGE_OPEN;

	if (!atomic_compare_exchange_strong(&page->state, &open, STATIC_PAGE_SEALED))
		return;
	atomic_fetch_add_explicit(
		&page->open_ns,
		now - atomic_load_explicit(&page->open_since, memory_order_relaxed),
		memory_order_relaxed);
	static_page_protect(page);
	if (!atomic_exchange_explicit(&page->counted, false, memory_order_relaxed))
		return;
	atomic_store_explicit(&module_of(page)->sealed_tsc, ftsan_cpu_ticks(),
			      memory_order_relaxed);
	atomic_fetch_sub_explicit(&module_of(page)->open_locks, 1, memory_order_relaxed);
}

static uint64_t seal_due(uint64_t now)
{
	unsigned n = atomic_load_explicit(&n_open, memory_order_acquire);
	uint64_t next = 0;

	for (unsigned i = 0; i < n; i++) {
		struct static_page *page =
			atomic_load_explicit(&open_pages[i], memory_order_acquire);
		uint64_t until;

		if (page == NULL)
			continue;
		until = atomic_load_explicit(&page->open_until, memory_order_relaxed);
		if (atomic_load(&page->kernel) != 0 && until <= now)
			until = now + PERIOD_NS;
		if (until > now) {
			next = next == 0 || until < next ? until : next;
			continue;
		}
		atomic_store_explicit(&open_pages[i], NULL, memory_order_release);
		if (!atomic_load(&page->for_good))
			seal_again(page, now);
	}
	return next;
}

void static_pages_poll(uint64_t now)
{
	uint64_t due = atomic_load_explicit(&next_due, memory_order_relaxed);
	uint32_t idle = 0;

	if (due == 0 || now < due || !atomic_compare_exchange_strong(&polling, &idle, 1))
		return;
	if (atomic_load(&frozen) == 0) {
		atomic_store_explicit(&next_due, 0, memory_order_relaxed);
		due = seal_due(now);
		if (due != 0)
			atomic_store_explicit(&next_due, due, memory_order_relaxed);
	}
	atomic_store(&polling, 0);
}

void static_pages_begin(void)
{
	ftsan_share_begin(&traps);
}

/* Whoever was at it is the parent's. */
void static_pages_fork_child(void)
{
	atomic_store(&polling, 0);
	static_pages_begin();
}

void static_pages_freeze(bool freeze)
{
	if (!freeze) {
		atomic_fetch_sub(&frozen, 1);
		return;
	}
	atomic_fetch_add(&frozen, 1);
	while (atomic_load(&polling) != 0)
		ftsan_sys_yield();
}
