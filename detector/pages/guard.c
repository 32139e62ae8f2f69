#include "pages/guard.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "budget/budget.h"
#include "pages/collide.h"
#include "pages/free_window.h"
#include "pages/guard_count.h"
#include "pages/late_access.h"
#include "pages/pages_thread.h"
#include "pages/publish.h"
#include "pages/quarantine.h"
#include "pages/store.h"
#include "pages/window.h"
#include "rules/rules.h"
#include "threads/threads.h"

enum {
	TICK_LOOK = 64,	  /* allocations of a thread between two looks at the clock */
	SLOTS_MIN = 64,	  /* as of the option */
	LIMIT_SHARE = 64, /* of a limit of the process's that the arena may take: the
			    sampler's tables need about as much */
};

/* fitting() - a program that needs what its limit allows is to get it with us, too. */
static uint32_t fitting(uint32_t n_slots)
{
	uint64_t most = ftsan_sys_memory_limit() / LIMIT_SHARE / FTSAN_PAGE;

	return most < n_slots ? (uint32_t)most : n_slots;
}

/* take_traits() - what the kinds of buffers come to with these options. */
static void take_traits(const struct ftsan_options *options, bool free_threaded)
{
	/* A hazard takes one thread: no site is too short-lived for it. */
	bool every = ftsan_options_latent(options) || options->short_lived == 0;
	bool aged_for_races = ftsan_options_race(options) && free_threaded;

	for (unsigned i = 0; i < FTSAN_ADAPTERS; i++) {
		const struct ftsan_adapter *adapter = ftsan_guard_host->adapters[i];

		ftsan_guard_config.aged[i] =
			adapter->ageing == FTSAN_AGES_ALWAYS || aged_for_races;
		ftsan_guard_config.short_lived[i] = every || !adapter->short_lived
							    ? FTSAN_SHORT_LIVED_NEVER
							    : options->short_lived;
	}
}

int ftsan_guard_init(const struct ftsan_options *options,
		     const struct ftsan_guard_host *host, bool free_threaded)
{
	bool race = ftsan_options_race(options);
	uint32_t slots = fitting(options->slots);
	int error;

	ftsan_guard_config = (struct ftsan_guard_config){
		.slots = slots,
		.fragments = options->fragments,
		.quarantine = options->quarantine,
		.tick_us = options->scout_us,
		.window_ns = race ? (uint64_t)options->window_us * 1000 : 0,
		.windows_per_object = options->windows,
		.windows_per_site = options->windows * 8,
		.window_budget_percent = options->window_budget,
		.heal = options->heal,
	};
	ftsan_guard_host = host;
	take_traits(options, free_threaded);
	/* After a detach the arena is there, and buffers in it are in use. */
	if (!ftsan_guard_is_ready) {
		error = slots < SLOTS_MIN ? -ENOMEM : ftsan_arena_init(slots);
		if (error != 0)
			return error;
		ftsan_quarantine_init(options->quarantine);
	} else {
		ftsan_sites_reset();
	}
	ftsan_window_init();
	ftsan_publish_begin();
	error = ftsan_store_init(options->store);
	if (error != 0)
		return error;
	ftsan_guard_is_ready = true;
	return 0;
}

/* Buffers that all begin their page would share one set of the first-level cache. */
static uint16_t stagger(uint32_t slot, size_t size_bytes)
{
	return size_bytes <= FTSAN_PAGE / 2 ? (uint16_t)(slot % 32 * 64) : 0;
}

static uint32_t pages_of(size_t size_bytes)
{
	return (uint32_t)((size_bytes + FTSAN_PAGE - 1) / FTSAN_PAGE);
}

static void forget_sealed_life(struct ftsan_slot *slot)
{
	atomic_store_explicit(&slot->window_owner, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->holds, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->windows, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->stable_address, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->quarantine, FTSAN_NO_ENTRY, memory_order_relaxed);
}

static void fill_slot(uint32_t index, uint8_t adapter, size_t size_bytes,
		      uintptr_t object, const struct ftsan_alloc_site *site,
		      uint16_t bucket, int tid)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);

	atomic_store_explicit(&slot->object, object, memory_order_relaxed);
	slot->alloc = *site;
	slot->alloc_tid = tid;
	slot->birth_tick = ftsan_guard_tick_number();
	slot->seal_tick = slot->birth_tick;
	slot->size = (uint32_t)size_bytes;
	slot->offset = stagger(index, size_bytes);
	slot->pages = (uint16_t)pages_of(size_bytes);
	slot->site = bucket;
	if (slot->published)
		forget_sealed_life(slot);
	slot->flags = 0;
	slot->adapter = adapter;
}

/* become_private() - FREE to PRIVATE with the next generation. */
static void become_private(uint32_t index)
{
	uint64_t word = ftsan_word_next_generation(ftsan_slot_word(index));

	atomic_store_explicit(&ftsan_arena.words[index],
			      ftsan_word_with_state(word, FTSAN_PRIVATE),
			      memory_order_release);
	ftsan_publish_later(index);
}

static uint32_t take(struct ftsan_thread *thread, uint32_t pages)
{
	struct ftsan_pages_thread *part = ftsan_pages_of(thread);

	if (FTSAN_UNLIKELY(pages != 1))
		return ftsan_slot_take_span(pages);
	if (FTSAN_LIKELY(part->n_magazine != 0))
		return part->magazine[--part->n_magazine];
	return ftsan_slot_take(thread);
}

static void look_at_clock(struct ftsan_pages_thread *part)
{
	/* Those that are left out don't come here, but they count. */
	uint64_t n =
		atomic_load_explicit(&part->counts.seen, memory_order_relaxed) +
		atomic_load_explicit(&part->counts.short_lived, memory_order_relaxed);

	if (n - part->looked < TICK_LOOK)
		return;
	part->looked = n;
	ftsan_guard_tick_if_due();
}

void *ftsan_guard_alloc(uint8_t adapter, size_t size_bytes, uintptr_t object,
			const struct ftsan_alloc_site *site)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_pages_thread *part;
	uint16_t bucket = ftsan_site_bucket(ftsan_site_hash(site->pc, site->instr));
	uint32_t index;

	if (!ftsan_guard_ready() || thread == NULL ||
	    (FTSAN_UNLIKELY(ftsan_publish_halted()) && adapter != FTSAN_ADAPTER_CANARY))
		return NULL;
	part = ftsan_pages_of(thread);
	look_at_clock(part);
	/* A thread that makes arrays counts, whoever works on them. */
	(void)ftsan_worker_begin();
	ftsan_own_count(&part->counts.seen);
	if (size_bytes == 0)
		size_bytes = 1;
	if (size_bytes > FTSAN_SPAN_PAGES * FTSAN_PAGE) {
		ftsan_count(left_out_size);
		return NULL;
	}
	if (!ftsan_rule_admit(ftsan_slots_taken(), ftsan_arena.n_slots,
			      ftsan_publish_count(bucket)) ||
	    (index = take(thread, pages_of(size_bytes))) == FTSAN_NO_SLOT) {
		ftsan_count(left_out_slots);
		return NULL;
	}
	ftsan_own_count(&part->counts.guarded);
	fill_slot(index, adapter, size_bytes, object, site, bucket,
		  atomic_load_explicit(&thread->tid, memory_order_relaxed));
	become_private(index);
	return (void *)ftsan_slot_buffer(index);
}

void *ftsan_guard_realloc(const void *pointer, size_t size_bytes, uintptr_t pc)
{
	const struct ftsan_slot *slot = ftsan_slot_at(ftsan_slot_of((uintptr_t)pointer));
	struct ftsan_alloc_site site = slot->alloc;

	site.pc = pc;
	return ftsan_guard_alloc(slot->adapter, size_bytes, ftsan_guard_object(pointer),
				 &site);
}

bool ftsan_guard_is(const void *pointer, uint8_t adapter)
{
	return ftsan_slot_at(ftsan_slot_of((uintptr_t)pointer))->adapter == adapter;
}

size_t ftsan_guard_size(const void *pointer)
{
	return ftsan_slot_at(ftsan_slot_of((uintptr_t)pointer))->size;
}

void ftsan_guard_copy(void *to, const void *from, size_t size_bytes)
{
	uint32_t slot = ftsan_slot_of((uintptr_t)from);
	enum ftsan_state state = ftsan_word_state(ftsan_slot_word(slot));

	if (state != FTSAN_WINDOWED && state != FTSAN_QUARANTINED) {
		memcpy(to, from, size_bytes);
		return;
	}
	/* Without /proc/self/mem the copy faults, and is dealt with as any read. */
	if (ftsan_mem_read(to, (uintptr_t)from, size_bytes) != 0)
		memcpy(to, from, size_bytes);
}

/* --- freeing ------------------------------------------------------------------ */

/* learn_use() - of the buffers that this thread's own sites make. */
static void learn_use(const struct ftsan_slot *slot)
{
	struct ftsan_thread *thread = ftsan_thread_mine;

	/* Another thread's use counts as a meeting, and so does a trapped store. */
	if (!ftsan_publish_halted() && slot->alloc.code != 0 && thread != NULL &&
	    !atomic_load_explicit(&slot->shared, memory_order_relaxed) &&
	    slot->alloc_tid == atomic_load_explicit(&thread->tid, memory_order_relaxed) &&
	    atomic_load_explicit(&slot->parked, memory_order_relaxed) == FTSAN_PARKED_NOT)
		ftsan_short_lived_death(
			&ftsan_pages_of(thread)->short_lived,
			ftsan_site_hash(slot->alloc.pc, slot->alloc.instr),
			ftsan_meetings(slot->site),
			ftsan_guard_config.short_lived[slot->adapter]);
}

/* free_published() - PUBLISHED to QUARANTINED; false when the state was another. */
static bool free_published(uint32_t index)
{
	if (!ftsan_slot_transition(index, FTSAN_PUBLISHED, FTSAN_QUARANTINED))
		return false;
	ftsan_guard_count_end(ftsan_slot_at(index));
	learn_use(ftsan_slot_at(index));
	ftsan_quarantine_add(index);
	ftsan_free_window(index);
	return true;
}

static bool free_private(uint32_t index)
{
	/* After a detach nobody says when a thread ends: it gets no record. */
	struct ftsan_thread *thread =
		ftsan_publish_halted() ? ftsan_thread_mine : ftsan_thread_self();
	const struct ftsan_slot *slot = ftsan_slot_at(index);

	if (!ftsan_slot_transition(index, FTSAN_PRIVATE, FTSAN_FREE))
		return false;
	ftsan_guard_count_end(slot);
	learn_use(slot);
	ftsan_slot_give(thread, index);
	return true;
}

static bool free_sealing(uint32_t index)
{
	return ftsan_slot_transition(index, FTSAN_SEALING, FTSAN_SEALING_DEAD);
}

/* free_windowed() - another thread's store to this very buffer is in progress. */
static bool free_windowed(uint32_t index)
{
	if (ftsan_word_state(ftsan_slot_word(index)) != FTSAN_WINDOWED)
		return false;
	ftsan_collide_free(index);
	if (!ftsan_slot_transition(index, FTSAN_WINDOWED, FTSAN_QUARANTINED))
		return false;
	ftsan_guard_count_end(ftsan_slot_at(index));
	ftsan_quarantine_add(index);
	return true;
}

void ftsan_guard_free(void *pointer)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);

	for (;;) {
		enum ftsan_state state;

		if (free_private(index) || free_published(index) || free_sealing(index) ||
		    free_windowed(index))
			return;
		state = ftsan_word_state(ftsan_slot_word(index));
		if (state == FTSAN_PRIVATE || state == FTSAN_PUBLISHED ||
		    state == FTSAN_SEALING || state == FTSAN_WINDOWED)
			continue; /* it changed between two looks */
		ftsan_late_free(index);
		return;
	}
}

void ftsan_guard_free_moved(void *pointer)
{
	ftsan_slot_at(ftsan_slot_of((uintptr_t)pointer))->moved = true;
	ftsan_guard_free(pointer);
}

/* --- what it belongs to ------------------------------------------------------- */

void ftsan_guard_bind(const void *pointer, uintptr_t object)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	struct ftsan_slot *slot = ftsan_slot_at(index);

	if (atomic_exchange_explicit(&slot->object, object, memory_order_relaxed) != 0)
		atomic_store_explicit(&slot->reused, true, memory_order_relaxed);
	if (atomic_exchange_explicit(&slot->parked, FTSAN_PARKED_NOT,
				     memory_order_relaxed) == FTSAN_PARKED_UNBOUND)
		atomic_fetch_sub_explicit(&ftsan_counters.left_out_unbound, 1,
					  memory_order_relaxed);
	ftsan_publish_later(index);
}

uintptr_t ftsan_guard_object(const void *pointer)
{
	return atomic_load_explicit(
		&ftsan_slot_at(ftsan_slot_of((uintptr_t)pointer))->object,
		memory_order_relaxed);
}
