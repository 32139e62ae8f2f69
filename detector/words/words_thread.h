/* The words' part of a thread's record (threads/thread.h). */
#ifndef FTSAN_WORDS_THREAD_H
#define FTSAN_WORDS_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "threads/threads.h"
#include "words/watch_perf.h"
#include "words/watchpoint.h"

/**
 * struct ftsan_watch_slot - one debug register's worth, as its thread sees it
 * @event:      open or not
 * @point:      valid while armed
 * @generation: of the arming; hits carry it, so that a late one is known as such
 * @hits:       since then
 * @armed:      the processor watches
 */
struct ftsan_watch_slot {
	struct ftsan_perf_event event;
	struct ftsan_watchpoint point;
	uint32_t generation;
	uint32_t hits;
	bool armed;
};

/**
 * struct ftsan_watch - a thread's part; zeroed: nothing open, nothing watched
 * @parked:   hits mean nothing for now, though the words are still armed
 * @lost:     the program closed descriptors of ours this often
 * @limit_plus_1: the kernel gave this thread only so many events; 0: not known yet
 * @arms:     calls of ftsan_watch_arm()
 * @since_ns: when the present set was armed
 */
struct ftsan_watch {
	struct ftsan_watch_slot slots[FTSAN_WATCH_WORDS];
	uint32_t generation;
	uint32_t arms;
	uint64_t since_ns;
	uint8_t n_armed;
	uint8_t lost;
	uint8_t limit_plus_1;
	bool parked;
};

enum { FTSAN_RECHECK_WORDS = 12, FTSAN_RECHECK_LEVELS = 4 };

/**
 * struct ftsan_recheck_level - the words of one operation
 * @generation: which operation; never 0 and never the same twice in a row
 * @n:      words in use
 * @points: their values are those at the entry; written by the thread while its
 *          sequence is odd
 * @mark:   the scout's: generation << 32 | index of the word that it saw changed + 1
 * @seen:   what it saw; written before @mark
 */
struct ftsan_recheck_level {
	_Atomic uint32_t generation;
	_Atomic uint32_t n;
	struct ftsan_watchpoint points[FTSAN_RECHECK_WORDS];
	_Atomic uint64_t seen;
	_Atomic uint64_t mark;
};

/* A thread's part; zeroed: no operation. */
struct ftsan_recheck {
	_Atomic uint32_t sequence;
	_Atomic uint32_t depth;
	uint32_t generation; /* the last one given; the thread's alone */
	struct ftsan_recheck_level levels[FTSAN_RECHECK_LEVELS];
};

struct ftsan_words_thread {
	struct ftsan_watch watch;
	struct ftsan_recheck recheck;
};
_Static_assert(sizeof(struct ftsan_words_thread) <=
		       sizeof(((struct ftsan_thread *)0)->part_words),
	       "the part is too small");

static inline struct ftsan_words_thread *ftsan_words_of(const struct ftsan_thread *thread)
{
	return FTSAN_THREAD_PART(thread, words);
}

#endif
