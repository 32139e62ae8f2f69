#include "words/stall.h"

#include "base/base.h"
#include "words/stalled.h"

/* Past its deadline, a stall whose thread waits for a report to be written stays this
 * long; symbol tables have to be read the first time. */
static const uint64_t CLAIM_NS = 500u * 1000 * 1000;

enum { STALLS = 16 };

/* So many threads may stall at a time; others go on. */
static struct ftsan_stall stalls[STALLS];
static _Atomic uint32_t n_stalls; /* not FREE; a hint */

void ftsan_stall_free(struct ftsan_stall *stall)
{
	atomic_store_explicit(&stall->object, 0, memory_order_relaxed);
	atomic_fetch_sub_explicit(&n_stalls, 1, memory_order_relaxed);
	atomic_store_explicit(&stall->state, FTSAN_STALL_FREE, memory_order_release);
}

static bool change(struct ftsan_stall *stall, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong(&stall->state, &from, to);
}

void ftsan_stall_give_back(struct ftsan_stall *stall, uint32_t state)
{
	if (change(stall, FTSAN_STALL_CLAIMED, state))
		ftsan_sys_futex_wake(&stall->state);
	else
		ftsan_stall_free(stall);
}

static bool overlaps(const struct ftsan_stall *stall, const struct ftsan_access *access)
{
	struct ftsan_access theirs = {
		.address = atomic_load(&stall->address),
		.size = 8, /* no word is longer; looked at again once it is claimed */
	};

	return ftsan_rule_overlap(&theirs, access);
}

struct ftsan_stall *ftsan_stall_claim(const struct ftsan_thread *thread,
				      const struct ftsan_access *access)
{
	if (atomic_load(&n_stalls) == 0)
		return NULL;
	for (unsigned i = 0; i < STALLS; i++) {
		struct ftsan_stall *stall = &stalls[i];

		if (!overlaps(stall, access) ||
		    !change(stall, FTSAN_STALL_OPEN, FTSAN_STALL_CLAIMED))
			continue;
		if (stall->thread != thread->index &&
		    ftsan_rule_overlap(&stall->access, access))
			return stall;
		ftsan_stall_give_back(stall, FTSAN_STALL_OPEN);
	}
	return NULL;
}

struct ftsan_stall *ftsan_stall_take(void)
{
	for (unsigned i = 0; i < STALLS; i++)
		if (change(&stalls[i], FTSAN_STALL_FREE, FTSAN_STALL_FILLING)) {
			atomic_fetch_add(&n_stalls, 1);
			return &stalls[i];
		}
	return NULL;
}

uint32_t ftsan_stall_hold(struct ftsan_stall *stall, uint64_t until)
{
	uint32_t state;

	while ((state = atomic_load(&stall->state)) == FTSAN_STALL_OPEN ||
	       state == FTSAN_STALL_CLAIMED) {
		uint64_t limit = state == FTSAN_STALL_OPEN ? until : until + CLAIM_NS;

		if (ftsan_sys_now_ns() < limit)
			(void)ftsan_sys_futex_wait(&stall->state, state, limit);
		else if (change(stall, state,
				state == FTSAN_STALL_OPEN ? FTSAN_STALL_FILLING
							  : FTSAN_STALL_LEFT))
			return state == FTSAN_STALL_OPEN ? FTSAN_STALL_FILLING
							 : FTSAN_STALL_LEFT;
	}
	return state;
}

void ftsan_stall_show(struct ftsan_stall *stall)
{
	const struct ftsan_watchpoint *point = &stall->point;

	atomic_store(&stall->word, (uint64_t)point->tag << 8 | point->length);
	atomic_store(&stall->address, point->address);
	atomic_store(&stall->object, point->object);
}

void ftsan_stall_open(struct ftsan_stall *stall)
{
	atomic_store(&stall->state, FTSAN_STALL_OPEN);
}

bool ftsan_word_stalled_any(void)
{
	return atomic_load_explicit(&n_stalls, memory_order_relaxed) != 0;
}

bool ftsan_word_stalled(uintptr_t object, struct ftsan_watchpoint *out)
{
	if (atomic_load(&n_stalls) == 0)
		return false;
	for (unsigned i = 0; i < STALLS; i++) {
		struct ftsan_stall *stall = &stalls[i];
		uintptr_t address = atomic_load(&stall->address);
		uint64_t word = atomic_load(&stall->word);

		/* The object is written last and wiped first. */
		if (atomic_load(&stall->object) != object ||
		    atomic_load(&stall->address) != address)
			continue;
		*out = (struct ftsan_watchpoint){.address = address,
						 .object = object,
						 .tag = (uint32_t)(word >> 8),
						 .length = (uint8_t)word,
						 .reads = true};
		return true;
	}
	return false;
}

void ftsan_stalls_fork_child(void)
{
	for (unsigned i = 0; i < STALLS; i++)
		atomic_store_explicit(&stalls[i].state, FTSAN_STALL_FREE,
				      memory_order_relaxed);
	atomic_store_explicit(&n_stalls, 0, memory_order_relaxed);
}
