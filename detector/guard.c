#include "guard.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "collide.h"
#include "counters.h"
#include "mem.h"
#include "rules.h"
#include "store.h"
#include "thread.h"

enum {
	SITES = 4096,
	TICK_LOOK = 64,	    /* allocations of a thread between two looks at the clock */
	RECOUNT_TICKS = 64, /* exact count of sealed runs at most this often */
	OLD_US = 10000,	    /* "old" in the coverage record */
	COOL_PROVEN = 11, /* exponents of the periods that an unsealed buffer stays so */
	COOL_MAX = 14,
};

struct ftsan_guard_config ftsan_guard_config;

static bool ready;		      /* set once at start */
static _Atomic uint32_t tick;	      /* scout periods so far */
static _Atomic uint32_t ticking;      /* somebody is in ftsan_guard_tick() */
static _Atomic bool scout;	      /* a scout ticks; allocations need not */
static _Atomic uint64_t next_tick_ns; /* for allocations */
static _Atomic uint32_t sealed;	      /* slots whose page is not read/write */
static _Atomic uint32_t merged;	      /* of these, not a fragment of their own */
static uint32_t recounted;	      /* tick of the last recount; under ticking */
static _Atomic uint32_t refusals;     /* publications that the limit put off */
static uint32_t looked_again_at;      /* refusals at that time; under ticking */
static _Atomic uint32_t site_published[SITES];

static const struct ftsan_adapter *const adapters[FTSAN_ADAPTERS] = {
	[FTSAN_ADAPTER_CANARY] = &ftsan_adapter_canary,
	[FTSAN_ADAPTER_NUMPY] = &ftsan_adapter_numpy,
	[FTSAN_ADAPTER_CYTHON] = &ftsan_adapter_cython,
};

const struct ftsan_adapter *ftsan_adapter_of(uint32_t slot)
{
	return adapters[ftsan_slot_at(slot)->adapter];
}

int ftsan_guard_init(const struct ftsan_options *options)
{
	int error;

	ftsan_guard_config = (struct ftsan_guard_config){
		.slots = options->slots,
		.fragments = options->fragments,
		.quarantine = options->quarantine,
		.tick_us = options->scout_us,
		.window_ns = (uint64_t)options->window_us * 1000,
		.windows_per_object = options->windows,
		.windows_per_site = options->windows * 8,
		.window_budget_percent = options->window_budget,
		.heal = options->heal,
		.store = options->store,
	};
	error = ftsan_arena_init(options->slots);
	if (error != 0)
		return error;
	ftsan_quarantine_init(options->quarantine);
	ftsan_collide_init();
	error = ftsan_store_init(options->store);
	if (error != 0)
		return error;
	ready = true;
	return 0;
}

bool ftsan_guard_ready(void)
{
	return ready;
}

uint32_t ftsan_guard_tick_number(void)
{
	return atomic_load_explicit(&tick, memory_order_relaxed);
}

static uint16_t site_bucket(const struct ftsan_alloc_site *site)
{
	uint64_t mix =
		(site->pc ^ site->code * 31 ^ site->instr * 131) * 0x9e3779b97f4a7c15ull;

	return (uint16_t)(mix >> 52);
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
	slot->published = false;
	slot->moved = false;
	slot->cooled = 0;
	slot->size = (uint32_t)size_bytes;
	slot->offset = stagger(index, size_bytes);
	slot->pages = (uint16_t)pages_of(size_bytes);
	slot->adapter = adapter;
	slot->site = bucket;
	atomic_store_explicit(&slot->parked, FTSAN_PARKED_NOT, memory_order_relaxed);
	atomic_store_explicit(&slot->window_owner, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->windows, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->stable_address, 0, memory_order_relaxed);
	slot->quarantine = FTSAN_NO_ENTRY;
}

static void mark_dirty(uint32_t index)
{
	_Atomic uint8_t *mark = &ftsan_arena.dirty[index / 64];

	/* Read first: the line stays shared while the mark is set already. */
	if (atomic_load_explicit(mark, memory_order_relaxed) == 0)
		atomic_store_explicit(mark, 1, memory_order_release);
}

/* become_private() - FREE to PRIVATE with the next generation; pins survive. */
static void become_private(uint32_t index)
{
	uint64_t word = ftsan_slot_word(index);

	while (!atomic_compare_exchange_weak_explicit(
		&ftsan_arena.words[index], &word,
		ftsan_word_with_state(ftsan_word_next_generation(word), FTSAN_PRIVATE),
		memory_order_release, memory_order_relaxed))
		;
	mark_dirty(index);
}

static void bump(_Atomic uint64_t *counter)
{
	/* One writer: a plain add of an atomic that others only read. */
	atomic_store_explicit(counter,
			      atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static uint32_t take(struct ftsan_thread *thread, uint32_t pages)
{
	return pages == 1 ? ftsan_slot_take(thread) : ftsan_slot_take_span(pages);
}

void *ftsan_guard_alloc(uint8_t adapter, size_t size_bytes, uintptr_t object,
			const struct ftsan_alloc_site *site)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	uint16_t bucket = site_bucket(site);
	uint32_t index;

	if (!ready || thread == NULL)
		return NULL;
	bump(&thread->counts.seen);
	if (size_bytes == 0)
		size_bytes = 1;
	if (size_bytes > FTSAN_SPAN_PAGES * FTSAN_PAGE) {
		ftsan_count(left_out_size);
		return NULL;
	}
	if (!ftsan_rule_admit(ftsan_slots_taken(), ftsan_arena.n_slots,
			      atomic_load_explicit(&site_published[bucket],
						   memory_order_relaxed)) ||
	    (index = take(thread, pages_of(size_bytes))) == FTSAN_NO_SLOT) {
		ftsan_count(left_out_slots);
		return NULL;
	}
	bump(&thread->counts.guarded);
	fill_slot(index, adapter, size_bytes, object, site, bucket,
		  atomic_load_explicit(&thread->tid, memory_order_relaxed));
	become_private(index);
	if (++thread->allocations >= TICK_LOOK) {
		thread->allocations = 0;
		ftsan_guard_tick_if_due();
	}
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

/* @since may lie ahead, for a buffer that cools down. */
static uint32_t age_ticks(uint32_t since)
{
	int32_t age = (int32_t)(ftsan_guard_tick_number() - since);

	return age > 0 ? (uint32_t)age : 0;
}

static void count_end_of_life(const struct ftsan_slot *slot)
{
	if ((uint64_t)age_ticks(slot->birth_tick) * ftsan_guard_config.tick_us < OLD_US ||
	    slot->adapter == FTSAN_ADAPTER_CANARY)
		return;
	ftsan_count(old_buffers);
	if (slot->published)
		ftsan_count(old_published);
	else if (atomic_load_explicit(&slot->parked, memory_order_relaxed) !=
		 FTSAN_PARKED_NOT)
		ftsan_count(old_left_out);
}

static void unsealed(const struct ftsan_slot *slot)
{
	atomic_fetch_sub_explicit(&sealed, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&site_published[slot->site], 1, memory_order_relaxed);
}

bool ftsan_guard_recycle(uint32_t index)
{
	uint64_t word = ftsan_slot_word(index);

	/* A reader that is still in an old cache may come at any time, and die of what
	 * it finds; the caches of a module are few. */
	if (ftsan_slot_at(index)->adapter == FTSAN_ADAPTER_CYTHON &&
	    ftsan_guard_config.heal)
		return false;
	do {
		if (ftsan_word_state(word) != FTSAN_QUARANTINED ||
		    ftsan_word_pins(word) != 0)
			return false;
	} while (!ftsan_slot_move(index, &word, FTSAN_RECYCLING));
	if (ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE) != 0) {
		ftsan_count(left_out_kernel);
		(void)ftsan_slot_transition(index, FTSAN_RECYCLING, FTSAN_QUARANTINED);
		return false;
	}
	unsealed(ftsan_slot_at(index));
	(void)ftsan_slot_transition(index, FTSAN_RECYCLING, FTSAN_FREE);
	ftsan_slot_give(NULL, index);
	return true;
}

/*
 * cool_down() - periods until the next seal; doubles each time. A seal can fall between
 * an operation's store and its undoing, whose trap then lengthens the very state that
 * the race is about: so where a race is proven, it is long from the start.
 */
static uint32_t cool_down(struct ftsan_slot *slot, bool proven)
{
	uint8_t exponent = slot->cooled;

	if (proven && exponent < COOL_PROVEN)
		exponent = COOL_PROVEN;
	slot->cooled = exponent < COOL_MAX ? exponent + 1 : COOL_MAX;
	return 1u << exponent;
}

void ftsan_guard_unseal(uint32_t index, bool proven)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);

	if (ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE) != 0)
		return;
	slot->seal_tick = ftsan_guard_tick_number() + cool_down(slot, proven);
	if (!ftsan_slot_transition(index, FTSAN_WINDOWED, FTSAN_PRIVATE))
		return;
	unsealed(slot);
	mark_dirty(index);
}

/* free_published() - PUBLISHED to QUARANTINED; false when the state was another. */
static bool free_published(uint32_t index)
{
	if (!ftsan_slot_transition(index, FTSAN_PUBLISHED, FTSAN_QUARANTINED))
		return false;
	count_end_of_life(ftsan_slot_at(index));
	ftsan_quarantine_add(index);
	return true;
}

static bool free_private(uint32_t index)
{
	if (!ftsan_slot_transition(index, FTSAN_PRIVATE, FTSAN_FREE))
		return false;
	count_end_of_life(ftsan_slot_at(index));
	ftsan_slot_give(ftsan_thread_self(), index);
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
	count_end_of_life(ftsan_slot_at(index));
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
		ftsan_collide_double_free(index);
		return;
	}
}

void ftsan_guard_free_moved(void *pointer)
{
	ftsan_slot_at(ftsan_slot_of((uintptr_t)pointer))->moved = true;
	ftsan_guard_free(pointer);
}

/* --- publication -------------------------------------------------------------- */

static bool is_bound(uint32_t index)
{
	const struct ftsan_adapter *adapter = ftsan_adapter_of(index);

	return adapter->bound == NULL || adapter->bound(index);
}

/* The sealed pages that stand alone; adjacent ones share their map entries. */
static uint32_t fragments(void)
{
	uint32_t pages = atomic_load_explicit(&sealed, memory_order_relaxed);
	uint32_t credit = atomic_load_explicit(&merged, memory_order_relaxed);

	return pages > credit ? pages - credit : 0;
}

/* recount() - how many sealed pages follow one of their own kind; under ticking. */
static void recount(void)
{
	uint32_t credit = 0;
	enum ftsan_state previous = FTSAN_FREE;

	if (ftsan_guard_tick_number() - recounted < RECOUNT_TICKS)
		return;
	recounted = ftsan_guard_tick_number();
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i)) {
		enum ftsan_state state = ftsan_word_state(ftsan_slot_word(i));

		if (state == previous &&
		    (state == FTSAN_PUBLISHED || state == FTSAN_QUARANTINED))
			credit++;
		previous = state;
	}
	atomic_store_explicit(&merged, credit, memory_order_relaxed);
}

/* cooling() - unsealed, and not to be sealed again yet. */
static bool cooling(const struct ftsan_slot *slot)
{
	return slot->cooled > 0 && age_ticks(slot->seal_tick) == 0;
}

static enum ftsan_publish_answer ask(uint32_t index, bool foreign)
{
	const struct ftsan_slot *slot = ftsan_slot_at(index);
	uint32_t age = age_ticks(slot->seal_tick);
	struct ftsan_publish_question question = {
		.bound = true,
		.foreign = foreign,
		.cooling = cooling(slot),
		/* The tick it was born in was not a whole one. */
		.age_ticks = age > 0 ? age - 1 : 0,
		.fragments = fragments(),
		.fragment_limit = ftsan_guard_config.fragments,
		.site_published = atomic_load_explicit(&site_published[slot->site],
						       memory_order_relaxed),
	};

	/* Looking at the header costs most, so it comes last. */
	enum ftsan_publish_answer answer = ftsan_rule_publish(&question);

	if (answer != FTSAN_PUBLISH_NOW)
		return answer;
	question.bound = is_bound(index);
	return ftsan_rule_publish(&question);
}

static void park(uint32_t index, enum ftsan_parked why)
{
	if (atomic_exchange_explicit(&ftsan_slot_at(index)->parked, (uint8_t)why,
				     memory_order_relaxed) == (uint8_t)why)
		return;
	if (why == FTSAN_PARKED_UNBOUND)
		ftsan_count(left_out_unbound);
	else if (why == FTSAN_PARKED_LIMIT)
		ftsan_count(left_out_fragments);
	else
		ftsan_count(left_out_kernel);
}

/* bury() - freed while it was being sealed: nobody can have seen it sealed. */
static void bury(uint32_t index)
{
	(void)ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE);
	(void)ftsan_slot_transition(index, FTSAN_SEALING_DEAD, FTSAN_FREE);
	ftsan_slot_give(NULL, index);
}

/* conclude() - SEALING to what follows from how the seal went. */
static void conclude(uint32_t index, bool ok)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);

	if (!ok) {
		park(index, FTSAN_PARKED_KERNEL);
		if (!ftsan_slot_transition(index, FTSAN_SEALING, FTSAN_PRIVATE))
			bury(index);
		return;
	}
	/* Counted before it can be freed by somebody else. */
	atomic_fetch_add_explicit(&sealed, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&site_published[slot->site], 1, memory_order_relaxed);
	if (!slot->published && slot->adapter != FTSAN_ADAPTER_CANARY)
		ftsan_count(buffers_published);
	slot->published = true;
	atomic_store_explicit(&slot->changed_ns, ftsan_sys_now_ns(),
			      memory_order_relaxed);
	if (ftsan_slot_transition(index, FTSAN_SEALING, FTSAN_PUBLISHED))
		return;
	unsealed(slot);
	bury(index);
}

static void seal_run(uint32_t first, uint32_t n)
{
	bool ok = n > 0 && ftsan_slot_protect(first, n, PROT_READ) == 0;

	for (uint32_t i = 0; i < n; i++)
		conclude(first + i, ok);
}

/* consider() - PRIVATE to SEALING when the rule says so; is it waiting otherwise? */
static bool consider(uint32_t index, bool *waits)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);
	uint8_t parked = atomic_load_explicit(&slot->parked, memory_order_relaxed);
	/* The answer is about this generation, so the change of state is, too. */
	uint64_t word = ftsan_slot_word(index);

	if (ftsan_word_state(word) != FTSAN_PRIVATE || parked == FTSAN_PARKED_UNBOUND ||
	    parked == FTSAN_PARKED_KERNEL)
		return false;
	switch (ask(index, false)) {
	case FTSAN_PUBLISH_NOW:
		if (!ftsan_slot_move(index, &word, FTSAN_SEALING)) {
			*waits = true;
			return false;
		}
		atomic_store_explicit(&slot->parked, FTSAN_PARKED_NOT,
				      memory_order_relaxed);
		return true;
	case FTSAN_PUBLISH_LATER:
		*waits = true;
		return false;
	case FTSAN_PUBLISH_UNBOUND:
		/* A constructor may be held up before it stored the pointer: only what
		 * stays unbound for long is given up. */
		if (age_ticks(slot->birth_tick) > 8)
			park(index, FTSAN_PARKED_UNBOUND);
		else
			*waits = true;
		return false;
	case FTSAN_PUBLISH_OVER_LIMIT:
		atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
		park(index, FTSAN_PARKED_LIMIT);
		return false;
	}
	return false;
}

static void scan_group(uint32_t group, uint32_t end)
{
	uint32_t first = group * 64, run = 0;
	bool waits = false;

	if (end > first + 64)
		end = first + 64;
	/* Cleared before the look, so that an allocation meanwhile marks it again. */
	atomic_store_explicit(&ftsan_arena.dirty[group], 0, memory_order_seq_cst);
	for (uint32_t i = first; i < end; i++) {
		if (consider(i, &waits)) {
			run++;
			continue;
		}
		seal_run(i - run, run);
		run = 0;
	}
	seal_run(end - run, run);
	if (waits)
		atomic_store_explicit(&ftsan_arena.dirty[group], 1, memory_order_relaxed);
}

/* look_again() - room has come back for those that the limit left out; under ticking. */
static void look_again(uint32_t end)
{
	uint32_t refused = atomic_load_explicit(&refusals, memory_order_relaxed);

	if (refused == looked_again_at)
		return;
	looked_again_at = refused;
	for (uint32_t group = 0; group * 64 < end; group++)
		atomic_store_explicit(&ftsan_arena.dirty[group], 1, memory_order_relaxed);
}

void ftsan_guard_tick(void)
{
	uint32_t expected = 0, end;

	if (!ready || !atomic_compare_exchange_strong(&ticking, &expected, 1))
		return;
	atomic_fetch_add_explicit(&tick, 1, memory_order_relaxed);
	end = ftsan_arena.n_slots;
	for (uint32_t group = 0; group * 64 < end; group++)
		if (atomic_load_explicit(&ftsan_arena.dirty[group],
					 memory_order_relaxed) != 0)
			scan_group(group, end);
	if (fragments() >= ftsan_guard_config.fragments / 2)
		recount();
	else
		look_again(end);
	atomic_store_explicit(&ticking, 0, memory_order_release);
}

void ftsan_guard_tick_if_due(void)
{
	uint64_t now, due;

	if (atomic_load_explicit(&scout, memory_order_relaxed))
		return;
	now = ftsan_sys_now_ns();
	due = atomic_load_explicit(&next_tick_ns, memory_order_relaxed);
	if (now < due)
		return;
	/* Several periods may have passed unnoticed: ages are counted in periods. */
	if (due != 0) {
		uint64_t missed =
			(now - due) / ((uint64_t)ftsan_guard_config.tick_us * 1000);
		atomic_fetch_add_explicit(&tick, missed > 1000 ? 1000 : (uint32_t)missed,
					  memory_order_relaxed);
	}
	atomic_store_explicit(&next_tick_ns,
			      now + (uint64_t)ftsan_guard_config.tick_us * 1000,
			      memory_order_relaxed);
	ftsan_guard_tick();
}

void ftsan_guard_scout_running(bool running)
{
	atomic_store_explicit(&scout, running, memory_order_relaxed);
}

bool ftsan_guard_publish(const void *pointer)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	uint64_t word = ftsan_slot_word(index);

	if (ftsan_word_state(word) == FTSAN_PRIVATE &&
	    ask(index, true) == FTSAN_PUBLISH_NOW &&
	    ftsan_slot_move(index, &word, FTSAN_SEALING))
		seal_run(index, 1);
	return ftsan_word_state(ftsan_slot_word(index)) == FTSAN_PUBLISHED;
}

void ftsan_guard_bind(const void *pointer, uintptr_t object)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	struct ftsan_slot *slot = ftsan_slot_at(index);

	atomic_store_explicit(&slot->object, object, memory_order_relaxed);
	if (atomic_exchange_explicit(&slot->parked, FTSAN_PARKED_NOT,
				     memory_order_relaxed) == FTSAN_PARKED_UNBOUND)
		atomic_fetch_sub_explicit(&ftsan_counters.left_out_unbound, 1,
					  memory_order_relaxed);
	mark_dirty(index);
}

uintptr_t ftsan_guard_object(const void *pointer)
{
	return atomic_load_explicit(
		&ftsan_slot_at(ftsan_slot_of((uintptr_t)pointer))->object,
		memory_order_relaxed);
}

void ftsan_guard_enter(const void *pointer)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	const struct ftsan_thread *thread = ftsan_thread_self();

	if (ftsan_word_state(ftsan_slot_word(index)) != FTSAN_PRIVATE || thread == NULL ||
	    ftsan_slot_at(index)->alloc_tid ==
		    atomic_load_explicit(&thread->tid, memory_order_relaxed))
		return;
	if (cooling(ftsan_slot_at(index)) ||
	    atomic_load_explicit(&ftsan_slot_at(index)->parked, memory_order_relaxed) ==
		    FTSAN_PARKED_LIMIT)
		return;
	ftsan_count(foreign_entries);
	(void)ftsan_guard_publish(pointer);
}

/* --- life of the process ------------------------------------------------------ */

void ftsan_guard_fork_prepare(void)
{
	/* The scout is stopped; an allocation of another thread may be ticking. What it
	 * leaves half done in the child is put right there. */
	uint64_t deadline = ftsan_sys_now_ns() + 20000000;

	while (atomic_load_explicit(&ticking, memory_order_acquire) != 0 &&
	       ftsan_sys_now_ns() < deadline)
		ftsan_sys_yield();
}

void ftsan_guard_fork_parent(void)
{
}

/* settle() - what a lost thread had under way in the child becomes a plain state. */
static void settle(uint32_t index)
{
	uint64_t word = ftsan_slot_word(index);
	enum ftsan_state state = ftsan_word_state(word);

	word &= ~(0xffffull << 8); /* pins of threads that are gone */
	switch (state) {
	case FTSAN_SEALING:
		(void)ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE);
		state = FTSAN_PRIVATE;
		break;
	case FTSAN_WINDOWED:
		(void)ftsan_slot_protect(index, 1, PROT_READ);
		state = FTSAN_PUBLISHED;
		break;
	case FTSAN_SEALING_DEAD:
	case FTSAN_RECYCLING:
		(void)ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE);
		state = FTSAN_FREE;
		break;
	default:
		break;
	}
	atomic_store_explicit(&ftsan_arena.words[index],
			      ftsan_word_with_state(word, state), memory_order_relaxed);
	if (state == FTSAN_PRIVATE)
		mark_dirty(index);
}

void ftsan_guard_fork_child(void)
{
	if (!ready)
		return;
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i))
		settle(i);
	ftsan_slots_rebuild();
	atomic_store_explicit(&ticking, 0, memory_order_relaxed);
	atomic_store_explicit(&scout, false, memory_order_relaxed);
	ftsan_collide_fork_child();
}

void ftsan_guard_count_live(void)
{
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i)) {
		enum ftsan_state state = ftsan_word_state(ftsan_slot_word(i));

		if (state == FTSAN_PRIVATE || state == FTSAN_SEALING ||
		    state == FTSAN_PUBLISHED || state == FTSAN_WINDOWED)
			count_end_of_life(ftsan_slot_at(i));
	}
}
