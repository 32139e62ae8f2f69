#include "pages/free_window.h"

#include "base/base.h"
#include "budget/budget.h"
#include "pages/guard_config.h"
#include "pages/slot.h"
#include "pages/window.h"
#include "rules/rules.h"
#include "threads/threads.h"

/* Grows with every late access that was reported; futex. */
static _Atomic uint32_t late_accesses;

/* Does the operation that the thread is in know the object, and does that still point
 * at the buffer? A destructor frees dims that the header points at, too, but nobody can
 * have the object any more. */
static const void *freeing(const struct ftsan_thread *thread, uint32_t slot)
{
	if (ftsan_guard_host->freeing == NULL ||
	    ftsan_adapter_of(slot)->points_at == NULL || !ftsan_adapter_bound(slot))
		return NULL;
	return ftsan_guard_host->freeing(thread, ftsan_slot_buffer(slot));
}

static bool may_open(const struct ftsan_site *site)
{
	const struct ftsan_guard_config *config = &ftsan_guard_config;
	uint64_t elapsed = ftsan_window_elapsed_ns();
	struct ftsan_window_question question = {
		.threads = ftsan_threads_alive(),
		.site_proven = atomic_load_explicit(&site->proven, memory_order_relaxed),
		.site_windows =
			atomic_load_explicit(&site->windows, memory_order_relaxed),
		.site_limit = ftsan_window_site_limit(elapsed),
		.object_limit = 1,
		.spent_ns = ftsan_counted(window_ns),
		.elapsed_ns = elapsed,
		.budget_percent = config->window_budget_percent,
		.length_ns = config->window_ns,
	};

	return ftsan_rule_open_window(&question);
}

void ftsan_free_window(uint32_t slot)
{
	const struct ftsan_thread *thread = ftsan_thread_self();
	const void *operation = thread == NULL ? NULL : freeing(thread, slot);
	struct ftsan_site *site =
		operation == NULL ? NULL : ftsan_site_of((uintptr_t)operation);
	uint32_t before = atomic_load_explicit(&late_accesses, memory_order_acquire);
	uint64_t began;

	if (site == NULL || !may_open(site))
		return;
	ftsan_count(windows);
	atomic_fetch_add_explicit(&site->windows, 1, memory_order_relaxed);
	began = ftsan_sys_now_ns();
	(void)ftsan_sys_futex_wait(&late_accesses, before,
				   began + ftsan_guard_config.window_ns);
	ftsan_count_add(window_ns, ftsan_sys_now_ns() - began);
	if (atomic_load_explicit(&late_accesses, memory_order_acquire) != before)
		atomic_store_explicit(&site->proven, true, memory_order_relaxed);
}

void ftsan_free_window_end(void)
{
	atomic_fetch_add_explicit(&late_accesses, 1, memory_order_release);
	ftsan_sys_futex_wake(&late_accesses);
}
