#include "pages/hold.h"

#include "base/base.h"
#include "pages/guard_config.h"
#include "pages/publish.h"
#include "threads/threads.h"

/* enter_foreign() - publish it, unless there is a reason not to. */
static void enter_foreign(uint32_t index, const void *pointer)
{
	if (ftsan_word_state(ftsan_slot_word(index)) != FTSAN_PRIVATE ||
	    ftsan_seal_cooling(ftsan_slot_at(index)) ||
	    atomic_load_explicit(&ftsan_slot_at(index)->parked, memory_order_relaxed) ==
		    FTSAN_PARKED_LIMIT)
		return;
	ftsan_count(foreign_entries);
	(void)ftsan_guard_publish(pointer);
}

bool ftsan_guard_enter(const void *pointer)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	struct ftsan_slot *slot = ftsan_slot_at(index);
	const struct ftsan_thread *thread = ftsan_thread_self();
	bool shared = atomic_load_explicit(&slot->shared, memory_order_relaxed);

	if (thread == NULL ||
	    slot->alloc_tid == atomic_load_explicit(&thread->tid, memory_order_relaxed))
		return shared;
	if (!shared) {
		atomic_store_explicit(&slot->shared, true, memory_order_relaxed);
		ftsan_met(index);
	}
	enter_foreign(index, pointer);
	return true;
}

/* take() - the state is PRIVATE: seal it now, for operations only. */
static bool take(uint32_t index, uint64_t word)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);

	if (ftsan_publish_halted() || ftsan_seal_cooling(slot) ||
	    ftsan_seal_fragments() >= ftsan_guard_config.fragments ||
	    !ftsan_seal_begin(index, word))
		return false;
	atomic_store_explicit(&slot->on_hold, true, memory_order_relaxed);
	ftsan_seal_run(index, 1);
	return true;
}

/* give_up_hold() - one less, never below none: freed and used again, the count began
 * anew. */
static uint32_t give_up_hold(struct ftsan_slot *slot)
{
	uint32_t holds = atomic_load_explicit(&slot->holds, memory_order_relaxed);

	do {
		if (holds == 0)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&slot->holds, &holds, holds - 1,
							memory_order_acq_rel,
							memory_order_relaxed));
	return holds;
}

/* is_held() - sealed, and still the buffer that it was. */
static bool is_held(uint32_t index, uint64_t generation)
{
	uint64_t word = ftsan_slot_word(index);

	return ftsan_word_state(word) == FTSAN_PUBLISHED &&
	       ftsan_word_generation(word) == generation;
}

bool ftsan_guard_hold(const void *pointer, uint64_t *generation)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	struct ftsan_slot *slot = ftsan_slot_at(index);
	uint64_t word = ftsan_slot_word(index);

	*generation = ftsan_word_generation(word);
	/* Counted first: the last of the others must not unseal it meanwhile. */
	atomic_fetch_add_explicit(&slot->holds, 1, memory_order_acq_rel);
	if (ftsan_word_state(word) == FTSAN_PRIVATE && take(index, word))
		ftsan_count(held);
	if (is_held(index, *generation))
		return true;
	(void)give_up_hold(slot);
	return false;
}

void ftsan_guard_unhold(const void *pointer, uint64_t generation)
{
	uint32_t index = ftsan_slot_of((uintptr_t)pointer);
	struct ftsan_slot *slot = ftsan_slot_at(index);

	/* Freed and used again meanwhile: these are other holds. */
	if (ftsan_word_generation(ftsan_slot_word(index)) != generation)
		return;
	/* Somebody who holds it from here on finds it sealed, and is wrong a moment
	 * later: that is a missed trap at worst. */
	if (give_up_hold(slot) == 1 &&
	    atomic_load_explicit(&slot->on_hold, memory_order_relaxed))
		ftsan_publish_open(index);
}
