#include "words/watch_slot.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/base.h"

enum {
	/* Threads beyond these have no events: a descriptor a word adds up. */
	EVENTS_MAX = 256 * FTSAN_WATCH_WORDS,
	/* And at most this part of the descriptors that the program may have. */
	DESCRIPTORS_PART = 8,
	/* The program may close ours once (as daemons do) before we give up. */
	LOST_MAX = 1,
};

struct ftsan_watch_config ftsan_watch_config;

static _Atomic uint32_t events_open;

static struct ftsan_perf_target target_of(const struct ftsan_thread *thread,
					  const struct ftsan_watch_slot *slot)
{
	uint64_t at = (uint64_t)(slot - ftsan_words_of(thread)->watch.slots);

	return (struct ftsan_perf_target){
		.address = slot->point.address,
		.length = slot->point.length,
		.reads = slot->point.reads,
		.data = DATA_MAGIC << DATA_MAGIC_SHIFT |
			(uint64_t)thread->index << DATA_THREAD_SHIFT |
			at << DATA_SLOT_SHIFT | slot->generation,
	};
}

bool ftsan_watch_slot_open(const struct ftsan_watch_slot *slot)
{
	return slot->event.number_plus_1 != 0;
}

void ftsan_watch_slot_close(struct ftsan_watch_slot *slot)
{
	if (!ftsan_watch_slot_open(slot))
		return;
	/* Somebody may hold the descriptor still: the copy that a raw clone made. */
	(void)ftsan_perf_rest(&slot->event);
	ftsan_perf_close(&slot->event);
	slot->armed = false;
	atomic_fetch_sub_explicit(&events_open, 1, memory_order_relaxed);
}

/* ftsan_watch_slot_lose() - the program took descriptors of ours: those that are gone are
 * forgotten. */
void ftsan_watch_slot_lose(struct ftsan_watch *watch)
{
	ftsan_count(watch_lost);
	watch->lost++;
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		if (!ftsan_perf_is_ours(&watch->slots[i].event))
			ftsan_watch_slot_close(&watch->slots[i]);
}

static int open_slot(struct ftsan_thread *thread, struct ftsan_watch_slot *slot)
{
	struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;
	struct ftsan_perf_target to = target_of(thread, slot);
	unsigned at = (unsigned)(slot - watch->slots);
	int error = -EMFILE;

	if (at >= FTSAN_WATCH_WORDS - ftsan_watch_config.reserved)
		return -ENOSPC;
	if (watch->limit_plus_1 != 0 && at >= watch->limit_plus_1 - 1u)
		return -ENOSPC;
	if (atomic_fetch_add_explicit(&events_open, 1, memory_order_relaxed) <
	    ftsan_watch_config.events_max)
		error = ftsan_perf_open(&slot->event, &to);
	if (error != 0) {
		atomic_fetch_sub_explicit(&events_open, 1, memory_order_relaxed);
		watch->limit_plus_1 = (uint8_t)(at + 1);
	}
	return error;
}

void ftsan_watch_slot_rest(struct ftsan_watch *watch, struct ftsan_watch_slot *slot)
{
	slot->armed = false;
	if (ftsan_watch_slot_open(slot) && ftsan_perf_rest(&slot->event) == -EBADF)
		ftsan_watch_slot_lose(watch);
}

int ftsan_watch_slot_aim(struct ftsan_thread *thread, struct ftsan_watch_slot *slot,
			 const struct ftsan_watchpoint *point)
{
	struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;
	struct ftsan_perf_target to;
	int error = -EBADF;

	slot->armed = false;
	slot->point = *point;
	slot->hits = 0;
	slot->generation = ++watch->generation % DATA_GENERATIONS;
	if (!ftsan_watch_read(point, &slot->point.value))
		return -EFAULT;
	to = target_of(thread, slot);
	if (ftsan_watch_slot_open(slot) &&
	    (error = ftsan_perf_aim(&slot->event, &to)) == -EBADF)
		ftsan_watch_slot_lose(watch);
	if (!ftsan_watch_slot_open(slot) && watch->lost <= LOST_MAX)
		error = open_slot(thread, slot);
	slot->armed = error == 0;
	return error;
}

/* descriptors_allowed() - the program's soft limit. */
static uint64_t descriptors_allowed(void)
{
	struct rlimit limit = {.rlim_cur = 0};

	if (ftsan_sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0) < 0)
		return 0;
	return limit.rlim_cur;
}

void ftsan_watch_slots_init(void)
{
	uint64_t part = descriptors_allowed() / DESCRIPTORS_PART;

	ftsan_watch_config.events_max = part < EVENTS_MAX ? (uint32_t)part : EVENTS_MAX;
}

void ftsan_watch_slots_fork_child(void)
{
	atomic_store_explicit(&events_open, 0, memory_order_relaxed);
}
