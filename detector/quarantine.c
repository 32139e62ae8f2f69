#include <sys/mman.h>

#include "base/sys.h"
#include "counters.h"
#include "guard.h"
#include "thread.h"

/*
 * A ring: each new entry takes the place of the oldest, whose buffer goes back to the
 * arena. An entry that cannot be replaced now (a handler looks at its buffer, or another
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

/* take_entry() - an entry of our own with its old buffer gone; NULL if that can't be. */
static struct ftsan_quarantine_entry *take_entry(uint32_t *number)
{
	struct ftsan_quarantine_entry *entry;
	uint32_t expected = 0, old;

	*number = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % entries;
	entry = &ring[*number];
	if (!atomic_compare_exchange_strong(&entry->busy, &expected, 1))
		return NULL;
	old = atomic_load_explicit(&entry->slot, memory_order_relaxed);
	if (old != FTSAN_NO_SLOT) {
		if (!ftsan_guard_recycle(old)) {
			atomic_store_explicit(&entry->busy, 0, memory_order_release);
			return NULL;
		}
		atomic_store_explicit(&entry->slot, FTSAN_NO_SLOT, memory_order_relaxed);
	}
	return entry;
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
		(void)ftsan_guard_recycle(slot);
		return;
	}
	ftsan_count(quarantined);
	ftsan_slot_at(slot)->quarantine = number;
	(void)ftsan_slot_protect(slot, 1, PROT_NONE);
	fill(entry, slot);
	atomic_store_explicit(&entry->busy, 0, memory_order_release);
}

static void let_go(struct ftsan_quarantine_entry *entry)
{
	uint32_t slot = atomic_load_explicit(&entry->slot, memory_order_relaxed);

	if (slot == FTSAN_NO_SLOT)
		return;
	/* What must not be used again stays as it is, but for its protection. */
	if (!ftsan_guard_recycle(slot))
		(void)ftsan_slot_protect(slot, 1, PROT_READ | PROT_WRITE);
	atomic_store_explicit(&entry->slot, FTSAN_NO_SLOT, memory_order_relaxed);
}

bool ftsan_quarantine_empty(void)
{
	bool empty = true;

	for (uint32_t i = 0; i < entries; i++) {
		uint32_t expected = 0;

		if (!atomic_compare_exchange_strong(&ring[i].busy, &expected, 1)) {
			empty = false; /* it is being filled */
			continue;
		}
		let_go(&ring[i]);
		atomic_store_explicit(&ring[i].busy, 0, memory_order_release);
	}
	return empty;
}

const struct ftsan_quarantine_entry *ftsan_quarantine_find(uint32_t slot)
{
	uint32_t number = ftsan_slot_at(slot)->quarantine;

	if (number >= entries ||
	    atomic_load_explicit(&ring[number].slot, memory_order_acquire) != slot)
		return NULL;
	return &ring[number];
}
