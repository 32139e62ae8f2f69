#include "pages/guard_threads.h"

#include "pages/pages_thread.h"
#include "pages/slot.h"
#include "pages/window.h"

static bool owns_window(const struct ftsan_thread *thread)
{
	return atomic_load_explicit(&ftsan_pages_of(thread)->window.state,
				    memory_order_relaxed) != FTSAN_WINDOW_CLOSED;
}

void ftsan_pages_thread_end(struct ftsan_thread *thread)
{
	if (owns_window(thread))
		ftsan_window_leave(thread);
	ftsan_slot_give_all(thread);
	ftsan_pages_of(thread)->step.kind = FTSAN_STEP_NONE;
}

bool ftsan_pages_busy(const struct ftsan_thread *thread)
{
	return ftsan_pages_of(thread)->step.kind != FTSAN_STEP_NONE ||
	       owns_window(thread);
}

static void forget(struct ftsan_pages_thread *part)
{
	part->step.kind = FTSAN_STEP_NONE;
	atomic_store_explicit(&part->window.state, FTSAN_WINDOW_CLOSED,
			      memory_order_relaxed);
}

/* part_at() - of a record that was ever used; NULL: there is none. */
static struct ftsan_pages_thread *part_at(uint32_t index)
{
	const struct ftsan_thread *thread = ftsan_thread_at(index);

	return thread == NULL ? NULL : ftsan_pages_of(thread);
}

void ftsan_pages_threads_fork_child(void)
{
	const struct ftsan_pages_thread *own =
		ftsan_thread_mine == NULL ? NULL : ftsan_pages_of(ftsan_thread_mine);

	ftsan_thread_counts_reset();
	for (uint32_t i = 0, n = ftsan_threads_used(); i < n; i++) {
		struct ftsan_pages_thread *part = part_at(i);

		if (part == NULL)
			continue;
		part->n_magazine = 0;
		if (part != own)
			forget(part);
	}
}

void ftsan_thread_counts_reset(void)
{
	for (uint32_t i = 0, n = ftsan_threads_used(); i < n; i++) {
		struct ftsan_pages_thread *part = part_at(i);

		if (part == NULL)
			continue;
		atomic_store_explicit(&part->counts.seen, 0, memory_order_relaxed);
		atomic_store_explicit(&part->counts.guarded, 0, memory_order_relaxed);
		atomic_store_explicit(&part->counts.short_lived, 0, memory_order_relaxed);
	}
}

static uint64_t of(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void ftsan_thread_counts_sum(struct ftsan_thread_sums *sums)
{
	*sums = (struct ftsan_thread_sums){0};
	for (uint32_t i = 0, n = ftsan_threads_used(); i < n; i++) {
		struct ftsan_pages_thread *part = part_at(i);

		if (part == NULL)
			continue;
		sums->seen += of(&part->counts.seen);
		sums->guarded += of(&part->counts.guarded);
		sums->short_lived += of(&part->counts.short_lived);
	}
}
