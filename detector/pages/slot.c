#include "pages/slot.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/base.h"
#include "pages/pages_thread.h"
#include "pages/pkey.h"
#include "threads/threads.h"

/*
 * Slots move between a magazine and the arena in batches of BATCH. One in SPAN_SHARE of
 * the arena's pages, at its end, is for buffers of several pages.
 */
enum { BATCH = 16, SPAN_SHARE = 16, PAD_BYTES = 1 << 20 };

struct ftsan_arena ftsan_arena;

/*
 * The free list: a stack whose links are slot numbers, its head tagged against ABA.
 * Slots that were never used come from a rising mark instead, so that the pages of a
 * small program stay together.
 */
static _Atomic uint64_t free_head;			 /* tag << 32 | slot + 1 */
static _Atomic uint64_t span_head[FTSAN_SPAN_PAGES + 1]; /* by number of pages */
static _Atomic uint32_t fresh;
static _Atomic uint32_t span_low; /* lowest page that a span ever took */
static _Atomic uint32_t taken;
static uint32_t *links;

static size_t tables_bytes(uint32_t n)
{
	return (size_t)n *
		       (sizeof(struct ftsan_slot) + sizeof(uint64_t) + sizeof(uint32_t)) +
	       n / 64 + 1;
}

int ftsan_arena_init(uint32_t n_slots)
{
	size_t pages = (size_t)n_slots * FTSAN_PAGE;
	struct ftsan_slot *slots = ftsan_sys_map(n_slots * sizeof(*slots));
	_Atomic uint64_t *words = ftsan_sys_map(n_slots * sizeof(*words));
	_Atomic uint8_t *dirty = ftsan_sys_map(n_slots / 64 + 1);
	/* A loop of the program that runs out of its buffer (a racy Cython cache does,
	 * either way) ends in the padding, or at a page without access behind it, and
	 * not in our tables. */
	char *base = ftsan_sys_reserve(pages + 2 * PAD_BYTES + 2 * FTSAN_PAGE);

	links = ftsan_sys_map(n_slots * sizeof(*links));
	if (slots == NULL || words == NULL || dirty == NULL || links == NULL ||
	    base == NULL)
		return -ENOMEM;
	base += FTSAN_PAGE;
	(void)ftsan_sys_protect(base, pages + 2 * PAD_BYTES, PROT_READ | PROT_WRITE);
	base += PAD_BYTES;
	/* Transparent huge pages would make one write resident 2 MiB of single pages. */
	(void)ftsan_sys_madvise(base, pages, MADV_NOHUGEPAGE);
	if (ftsan_sys_protect(base, pages, PROT_READ | PROT_WRITE) != 0)
		return -ENOMEM;
	ftsan_arena = (struct ftsan_arena){.base = (uintptr_t)base,
					   .size_bytes = pages,
					   .n_slots = n_slots,
					   .slots = slots,
					   .words = words,
					   .dirty = dirty};
	atomic_store_explicit(&span_low, n_slots, memory_order_relaxed);
	return 0;
}

uint64_t ftsan_arena_bound_bytes(void)
{
	return ftsan_arena.size_bytes + tables_bytes(ftsan_arena.n_slots);
}

uint64_t ftsan_slot_pin(uint32_t slot)
{
	atomic_fetch_add(&ftsan_slot_at(slot)->pins, 1);
	return atomic_load(&ftsan_arena.words[slot]);
}

void ftsan_slot_unpin(uint32_t slot)
{
	(void)atomic_fetch_sub(&ftsan_slot_at(slot)->pins, 1);
}

bool ftsan_slot_pinned(uint32_t slot)
{
	return atomic_load(&ftsan_slot_at(slot)->pins) != 0;
}

/* protect() - what sealed, open and inaccessible mean with a protection key, and without.
 * An inaccessible page keeps the key: it goes back to sealed without ever being open. */
static int protect(uintptr_t base, size_t size_bytes, int protection)
{
	unsigned key = ftsan_pkey();

	if (key == 0)
		return ftsan_sys_protect((void *)base, size_bytes, protection);
	if (protection == (PROT_READ | PROT_WRITE))
		return ftsan_pkey_protect((void *)base, size_bytes, protection, 0);
	if (protection == PROT_READ)
		protection = PROT_READ | PROT_WRITE;
	return ftsan_pkey_protect((void *)base, size_bytes, protection, key);
}

/* Measured with two processors: other threads' have to be told of a change. */
enum { CHANGE_ALONE_NS = 3000, CHANGE_NS = 20000 };
struct ftsan_share ftsan_slot_changes;

int ftsan_slot_protect(uint32_t slot, uint32_t n_slots, int protection)
{
	size_t pages = n_slots == 1 ? ftsan_slot_at(slot)->pages : n_slots;
	int error = protect(ftsan_slot_page(slot), pages * FTSAN_PAGE, protection);

	ftsan_share_spend(&ftsan_slot_changes,
			  ftsan_threads_alive() > 1 ? CHANGE_NS : CHANGE_ALONE_NS);
	/* Out of map entries, and somebody may wait for this page: opening all of them
	 * needs none. Every sealed page is laxer than its state then. */
	if (error == -ENOMEM && protection == (PROT_READ | PROT_WRITE)) {
		ftsan_count(left_out_kernel);
		error = protect(ftsan_arena.base, ftsan_arena.size_bytes, protection);
	}
	return error;
}

static uint32_t singles(void)
{
	return ftsan_arena.n_slots - ftsan_arena.n_slots / SPAN_SHARE;
}

static uint32_t take_fresh(uint32_t wanted, uint32_t *slots)
{
	uint32_t first = atomic_load_explicit(&fresh, memory_order_relaxed);
	uint32_t n;

	do {
		n = singles() - first;
		if (n > wanted)
			n = wanted;
		if (n == 0)
			return 0;
	} while (!atomic_compare_exchange_weak(&fresh, &first, first + n));
	/* Handed out from the end of the magazine: lowest slot last, so used first. */
	for (uint32_t i = 0; i < n; i++)
		slots[i] = first + n - 1 - i;
	return n;
}

static uint32_t pop(_Atomic uint64_t *list)
{
	uint64_t head = atomic_load_explicit(list, memory_order_acquire);
	uint64_t next;

	do {
		uint32_t slot_plus_1 = (uint32_t)head;

		if (slot_plus_1 == 0)
			return FTSAN_NO_SLOT;
		/* The link may be stale when another thread was faster; the tag tells. */
		next = ((head >> 32) + 1) << 32 |
		       __atomic_load_n(&links[slot_plus_1 - 1], __ATOMIC_RELAXED);
	} while (!atomic_compare_exchange_weak_explicit(
		list, &head, next, memory_order_acq_rel, memory_order_acquire));
	return (uint32_t)head - 1;
}

static void push(_Atomic uint64_t *list, uint32_t slot)
{
	uint64_t head = atomic_load_explicit(list, memory_order_relaxed);
	uint64_t next;

	do {
		__atomic_store_n(&links[slot], (uint32_t)head, __ATOMIC_RELAXED);
		next = ((head >> 32) + 1) << 32 | (slot + 1);
	} while (!atomic_compare_exchange_weak_explicit(
		list, &head, next, memory_order_release, memory_order_relaxed));
}

static void refill(struct ftsan_thread *thread)
{
	struct ftsan_pages_thread *part = ftsan_pages_of(thread);
	uint32_t n = 0;

	while (n < BATCH) {
		uint32_t slot = pop(&free_head);

		if (slot == FTSAN_NO_SLOT)
			break;
		part->magazine[n++] = slot;
	}
	if (n == 0)
		n = take_fresh(BATCH, part->magazine);
	part->n_magazine = n;
	atomic_fetch_add_explicit(&taken, n, memory_order_relaxed);
}

uint32_t ftsan_slot_take(struct ftsan_thread *thread)
{
	struct ftsan_pages_thread *part = ftsan_pages_of(thread);

	if (FTSAN_UNLIKELY(part->n_magazine == 0)) {
		refill(thread);
		if (part->n_magazine == 0)
			return FTSAN_NO_SLOT;
	}
	return part->magazine[--part->n_magazine];
}

static void give_one(uint32_t slot)
{
	push(&free_head, slot);
	atomic_fetch_sub_explicit(&taken, 1, memory_order_relaxed);
}

uint32_t ftsan_slot_take_span(uint32_t pages)
{
	uint32_t slot = pop(&span_head[pages]);
	uint32_t low = atomic_load_explicit(&span_low, memory_order_relaxed);

	if (slot != FTSAN_NO_SLOT)
		return slot;
	do {
		if (low < singles() + pages)
			return FTSAN_NO_SLOT;
	} while (!atomic_compare_exchange_weak(&span_low, &low, low - pages));
	/* For good: a span is only ever reused as one of the same length. */
	for (uint32_t i = 1; i < pages; i++)
		ftsan_slot_at(low - pages + i)->span_back = (uint16_t)i;
	return low - pages;
}

void ftsan_slot_give(struct ftsan_thread *thread, uint32_t slot)
{
	struct ftsan_pages_thread *part;

	if (ftsan_slot_at(slot)->pages > 1) {
		push(&span_head[ftsan_slot_at(slot)->pages], slot);
		return;
	}
	if (thread == NULL) {
		give_one(slot);
		return;
	}
	part = ftsan_pages_of(thread);
	if (FTSAN_UNLIKELY(part->n_magazine == FTSAN_MAGAZINE)) {
		/* The oldest half goes; the warm half stays. */
		for (uint32_t i = 0; i < BATCH; i++)
			give_one(part->magazine[i]);
		for (uint32_t i = BATCH; i < FTSAN_MAGAZINE; i++)
			part->magazine[i - BATCH] = part->magazine[i];
		part->n_magazine -= BATCH;
	}
	part->magazine[part->n_magazine++] = slot;
}

void ftsan_slot_give_all(struct ftsan_thread *thread)
{
	struct ftsan_pages_thread *part = ftsan_pages_of(thread);

	while (part->n_magazine > 0)
		give_one(part->magazine[--part->n_magazine]);
}

void ftsan_slots_rebuild(void)
{
	uint32_t n_free = 0, n = 0;

	atomic_store_explicit(&free_head, 0, memory_order_relaxed);
	for (unsigned i = 0; i <= FTSAN_SPAN_PAGES; i++)
		atomic_store_explicit(&span_head[i], 0, memory_order_relaxed);
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i)) {
		/* Slot 0 is visited even when it was never taken. */
		if (ftsan_slot_at(i)->span_back != 0 ||
		    i == atomic_load_explicit(&fresh, memory_order_relaxed))
			continue;
		n++;
		if (ftsan_word_state(ftsan_slot_word(i)) != FTSAN_FREE)
			continue;
		n_free++;
		if (ftsan_slot_at(i)->pages > 1)
			push(&span_head[ftsan_slot_at(i)->pages], i);
		else
			push(&free_head, i);
	}
	atomic_store_explicit(&taken, n - n_free, memory_order_relaxed);
}

uint32_t ftsan_slots_taken(void)
{
	return atomic_load_explicit(&taken, memory_order_relaxed);
}

uint32_t ftsan_slot_next(uint32_t slot)
{
	uint32_t next = slot + 1;

	/* Between the two ends nothing was ever taken. */
	if (next >= atomic_load_explicit(&fresh, memory_order_relaxed) &&
	    next <= singles())
		next = atomic_load_explicit(&span_low, memory_order_relaxed);
	return next;
}
