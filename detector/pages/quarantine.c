#include "pages/quarantine.h"

#include <sys/mman.h>

#include "base/base.h"
#include "pages/recycle.h"
#include "pages/slot.h"
#include "threads/threads.h"

/* Neighbours of the oldest buffer that go with it: of this many pages. */
enum { BLOCK = 64 };

/*
 * A ring: each new entry takes the place of the oldest, whose buffer goes back to the
 * arena, and with it the older half's that are near it: their pages are opened by few
 * calls. An entry that cannot be replaced now (a handler looks at its buffer, or another
 * thread is at the entry) is left alone, and the new buffer is recycled at once.
 */
static struct ftsan_quarantine_entry *ring;
static struct ftsan_stack *stacks;
static uint32_t entries;
static _Atomic uint32_t next;

void ftsan_quarantine_init(uint32_t wanted)
{
	ring = wanted == 0 ? NULL : ftsan_sys_map(wanted * sizeof(*ring));
	stacks = wanted == 0 ? NULL : ftsan_sys_map(wanted * sizeof(*stacks));
	entries = ring == NULL || stacks == NULL ? 0 : wanted;
	for (uint32_t i = 0; i < entries; i++) {
		ring[i].slot = FTSAN_NO_SLOT;
		ring[i].stack = &stacks[i];
	}
}

uint64_t ftsan_quarantine_bound_bytes(void)
{
	return (uint64_t)entries * (sizeof(*ring) + sizeof(*stacks));
}

static void copy_name(char *to, const char *from)
{
	for (unsigned i = 0; i < FTSAN_THREAD_NAME; i++)
		to[i] = from[i];
	to[FTSAN_THREAD_NAME - 1] = '\0';
}

static void fill(struct ftsan_quarantine_entry *entry, uint32_t slot)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	ftsan_stack_capture_here(entry->stack);
	entry->tid = 0;
	entry->name[0] = '\0';
	if (thread != NULL) {
		entry->tid = atomic_load_explicit(&thread->tid, memory_order_relaxed);
		copy_name(entry->name, thread->name);
	}
	atomic_store_explicit(&entry->slot, slot, memory_order_release);
}

static bool try_lock(struct ftsan_quarantine_entry *entry)
{
	uint32_t expected = 0;

	return atomic_compare_exchange_strong(&entry->busy, &expected, 1);
}

static void unlock(struct ftsan_quarantine_entry *entry)
{
	atomic_store_explicit(&entry->busy, 0, memory_order_release);
}

static uint32_t at(const struct ftsan_quarantine_entry *entry)
{
	return atomic_load_explicit(&entry->slot, memory_order_relaxed);
}

/* is_old() - does the entry belong to the older half, seen from the oldest one? */
static bool is_old(uint32_t number, uint32_t oldest)
{
	return (number + entries - oldest) % entries < entries / 2;
}

/* lock_old() - the entry of a slot, if that is an old one and nobody is at it. */
static struct ftsan_quarantine_entry *lock_old(uint32_t slot, uint32_t oldest)
{
	uint32_t number = atomic_load_explicit(&ftsan_slot_at(slot)->quarantine,
					       memory_order_relaxed);

	if (ftsan_word_state(ftsan_slot_word(slot)) != FTSAN_QUARANTINED ||
	    number >= entries || number == oldest || !is_old(number, oldest) ||
	    !try_lock(&ring[number]))
		return NULL;
	if (at(&ring[number]) == slot)
		return &ring[number];
	unlock(&ring[number]);
	return NULL;
}

/* begin() - the oldest entry's buffer, which is locked, and those near it. */
static uint32_t begin(uint32_t oldest, struct ftsan_recycling *batch)
{
	uint32_t slot = at(&ring[oldest]), first = slot - slot % BLOCK, n = 0;

	if (!ftsan_recycle_begin(slot))
		return 0;
	batch[n++] = (struct ftsan_recycling){.slot = slot, .entry = oldest};
	for (uint32_t i = first; i < first + BLOCK && i < ftsan_arena.n_slots; i++) {
		struct ftsan_quarantine_entry *entry = lock_old(i, oldest);

		if (entry == NULL)
			continue;
		if (ftsan_recycle_begin(i))
			batch[n++] = (struct ftsan_recycling){
				.slot = i, .entry = (uint32_t)(entry - ring)};
		else
			unlock(entry);
	}
	return n;
}

static void make_room(uint32_t oldest)
{
	struct ftsan_recycling batch[BLOCK];
	uint32_t n = begin(oldest, batch);

	ftsan_recycle_end(batch, n);
	for (uint32_t i = 0; i < n; i++) {
		struct ftsan_quarantine_entry *entry = &ring[batch[i].entry];

		if (batch[i].done)
			atomic_store_explicit(&entry->slot, FTSAN_NO_SLOT,
					      memory_order_relaxed);
		if (batch[i].entry != oldest)
			unlock(entry);
	}
}

/* next_entry() - the oldest one that nobody is at: another thread that makes room has
 * several of the old ones for a moment. */
static struct ftsan_quarantine_entry *next_entry(uint32_t *number)
{
	for (unsigned i = 0; i < BLOCK; i++) {
		*number = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) %
			  entries;
		if (try_lock(&ring[*number]))
			return &ring[*number];
	}
	return NULL;
}

/* take_entry() - an entry of our own with its old buffer gone; NULL if that can't be. */
static struct ftsan_quarantine_entry *take_entry(uint32_t *number)
{
	struct ftsan_quarantine_entry *entry = next_entry(number);

	if (entry == NULL)
		return NULL;
	if (at(entry) != FTSAN_NO_SLOT)
		make_room(*number);
	if (at(entry) == FTSAN_NO_SLOT)
		return entry;
	unlock(entry);
	return NULL;
}

void ftsan_quarantine_add(uint32_t slot)
{
	struct ftsan_quarantine_entry *entry = NULL;
	uint32_t number = FTSAN_NO_ENTRY;

	if (entries != 0)
		entry = take_entry(&number);
	if (entry == NULL) {
		/* A pinned slot is looked at right now; whoever unpins it leaves it
		 * QUARANTINED, and it is lost to the arena. That takes a full ring of
		 * frees within one handler, so it stays rare. */
		(void)ftsan_recycle(slot);
		return;
	}
	ftsan_count(quarantined);
	atomic_store_explicit(&ftsan_slot_at(slot)->quarantine, number,
			      memory_order_relaxed);
	(void)ftsan_slot_protect(slot, 1, PROT_NONE);
	fill(entry, slot);
	unlock(entry);
}

bool ftsan_quarantine_empty(void)
{
	bool empty = true;

	for (uint32_t i = 0; i < entries; i++) {
		if (!try_lock(&ring[i])) {
			empty = false; /* it is being filled */
			continue;
		}
		if (at(&ring[i]) != FTSAN_NO_SLOT)
			(void)ftsan_recycle(at(&ring[i]));
		atomic_store_explicit(&ring[i].slot, FTSAN_NO_SLOT, memory_order_relaxed);
		unlock(&ring[i]);
	}
	return empty;
}

void ftsan_quarantine_fork_child(void)
{
	/* What other threads were at is theirs no more; a buffer that one of them was
	 * about to let go has been settled. */
	for (uint32_t i = 0; i < entries; i++) {
		uint32_t slot = at(&ring[i]);

		/* Another thread may have used it again by then, and freed it into
		 * another entry. */
		if (slot != FTSAN_NO_SLOT &&
		    (ftsan_word_state(ftsan_slot_word(slot)) != FTSAN_QUARANTINED ||
		     ftsan_slot_at(slot)->quarantine != i))
			atomic_store_explicit(&ring[i].slot, FTSAN_NO_SLOT,
					      memory_order_relaxed);
		unlock(&ring[i]);
	}
}

const struct ftsan_quarantine_entry *ftsan_quarantine_find(uint32_t slot)
{
	uint32_t number = atomic_load_explicit(&ftsan_slot_at(slot)->quarantine,
					       memory_order_relaxed);

	if (number >= entries ||
	    atomic_load_explicit(&ring[number].slot, memory_order_acquire) != slot)
		return NULL;
	return &ring[number];
}
