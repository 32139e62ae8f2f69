/*
 * Holding a thread before its access while the other threads' accesses to the word are
 * watched. Private to the room.
 *
 * A window is one word that is watched for one held thread; there are FTSAN_HOLDS of
 * them. The other thread is caught by a watchpoint that all threads have; or,
 * where the kernel refuses those, by arming the sites that are known to touch such a
 * word. It records itself and waits until the held thread has written the finding; then
 * both go on. Nobody waits past a deadline.
 */
#ifndef FTSAN_SAMPLER_HOLD_H
#define FTSAN_SAMPLER_HOLD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"
#include "sampler/held.h"
#include "sampler/same_word.h"
#include "threads/threads.h"

enum { FTSAN_HOLDS = 2 };

/**
 * ftsan_hold_begin() - take a window and watch the word
 * @self, @access, @side: the thread that is to be held
 * @memory: what the word is
 *
 * Context: SIGTRAP handler. Return: NULL: every window is taken, or the word can't be
 * read or watched.
 */
struct ftsan_hold *ftsan_hold_begin(struct ftsan_thread *self,
				    const struct ftsan_access *access,
				    const struct ftsan_sampled_side *side,
				    const struct ftsan_memory *memory);

/**
 * struct ftsan_hold_plan - how to wait
 * @length_ns: for at most so long
 * @more:  and so many times longer, as long as the other threads get no processor
 * @again: what is done some times meanwhile, with @same; NULL: nothing is
 *
 * It goes on as long as a loop of another thread's is followed towards the word, too.
 */
struct ftsan_hold_plan {
	uint64_t length_ns;
	unsigned more;
	void (*again)(const struct ftsan_same *same);
	const struct ftsan_same *same;
};

/* True: somebody came, and waits for ftsan_hold_end(). */
bool ftsan_hold_wait(struct ftsan_hold *hold, const struct ftsan_hold_plan *plan);

/* The word is the program's again, and whoever came goes on. */
void ftsan_hold_end(struct ftsan_hold *hold);

/*
 * A SIGTRAP: was it an access of another thread to a word that is watched here? The
 * thread has waited for the finding when this returns. Context: SIGTRAP handler.
 */
bool ftsan_hold_trap(const siginfo_t *info, void *ucontext);

/*
 * A thread has come to a site, and is about to make this access. The same then. False:
 * nobody is held at these bytes.
 */
bool ftsan_hold_meet(struct ftsan_thread *self, const struct ftsan_access *access,
		     const struct ftsan_sampled_side *side, void *ucontext);

/**
 * struct ftsan_hold_near - a held word that an access is near to
 * @hold: which; other windows have other ones, and the same has later
 * @generation: of its window
 * @bytes: how far it is
 */
struct ftsan_hold_near {
	struct ftsan_hold *hold;
	uint32_t generation;
	uint64_t bytes;
};

/*
 * Is another thread held in the same object or block, at other bytes, and would the two
 * be a race if they were the same?
 */
bool ftsan_hold_near(const struct ftsan_thread *self, const struct ftsan_access *access,
		     const struct ftsan_sampled_side *side, struct ftsan_hold_near *near);

/* The child of a fork: held threads and events are the parent's. */
void ftsan_hold_fork_child(void);

#endif
