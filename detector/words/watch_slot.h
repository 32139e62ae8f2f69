/*
 * One watchpoint of a thread: its descriptor, where it points, and what its signals
 * carry. Private to the room.
 *
 * Context of everything, unless it says otherwise: the thread itself, also in its
 * handlers.
 */
#ifndef FTSAN_WATCH_SLOT_H
#define FTSAN_WATCH_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "threads/threads.h"
#include "words/watchpoint.h"
#include "words/words_thread.h"

/*
 * What a signal carries: who armed what, and when. A program's own events with the same
 * upper bits in their sig_data would be taken for ours; 24 bits make that unlikely.
 */
#define DATA_MAGIC UINT64_C(0x66b7a5)
enum {
	DATA_MAGIC_SHIFT = 40,
	DATA_THREAD_SHIFT = 28,
	DATA_SLOT_SHIFT = 26,
	DATA_THREADS = 1 << (DATA_MAGIC_SHIFT - DATA_THREAD_SHIFT),
	DATA_GENERATIONS = 1 << DATA_SLOT_SHIFT,
};
_Static_assert((int)FTSAN_THREADS_MAX <= (int)DATA_THREADS, "an index fits");
_Static_assert((int)FTSAN_WATCH_WORDS <= 1 << (DATA_THREAD_SHIFT - DATA_SLOT_SHIFT),
	       "a slot fits");

/**
 * struct ftsan_watch_config - set once at start
 * @active:     watchpoints work in this process
 * @reserved:   registers that are left to others
 * @events_max: descriptors of all threads
 * @own_begin, @own_end: accesses from there are ftsan's own
 * @on_hit:     NULL: hits are only counted
 */
struct ftsan_watch_config {
	bool active;
	unsigned reserved;
	uint32_t events_max;
	uintptr_t own_begin, own_end;
	ftsan_watch_hit_fn on_hit;
};

extern struct ftsan_watch_config ftsan_watch_config;

/* How many events there may be. Context: start-up. */
void ftsan_watch_slots_init(void);
/* None is open: the child of a fork has closed them. */
void ftsan_watch_slots_fork_child(void);

/* Has it a descriptor? */
bool ftsan_watch_slot_open(const struct ftsan_watch_slot *slot);
void ftsan_watch_slot_close(struct ftsan_watch_slot *slot);

/* The program took descriptors of ours: those that are gone are forgotten. */
void ftsan_watch_slot_lose(struct ftsan_watch *watch);

/**
 * ftsan_watch_slot_aim() - the slot watches @point from now on, with a new generation
 *
 * Return: 0 or -errno; nothing is armed then.
 */
int ftsan_watch_slot_aim(struct ftsan_thread *thread, struct ftsan_watch_slot *slot,
			 const struct ftsan_watchpoint *point);

/* The words of the slot are the program's alone again. */
void ftsan_watch_slot_rest(struct ftsan_watch *watch, struct ftsan_watch_slot *slot);

#endif
