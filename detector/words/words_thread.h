/* The words' part of a thread's record (threads/thread.h). */
#ifndef FTSAN_WORDS_THREAD_H
#define FTSAN_WORDS_THREAD_H

#include "threads/thread.h"
#include "words/recheck.h"
#include "words/watch.h"

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
