/*
 * Races on watched words: what a hit of a watchpoint means.
 *
 * A store to a watched word is held up: its thread stalls in the signal handler for the
 * length of a collision window, and whoever hits the same word meanwhile is caught in
 * the act (confirmed). Both threads have made their access and have done nothing since,
 * so no lock can have ordered the two. Another thread that was merely inside an
 * operation on the same object at that time, and running, makes it probable.
 *
 * A thread never waits for another's stall: one that meets a stall reports and goes on.
 * A stalled thread waits for a report about itself, and who writes one waits for nothing
 * but the log. Every wait has an absolute deadline.
 *
 * A hit is an access here: who hands it over has asked ftsan_watch_proven(), which also
 * leaves out what locks the bus. A plain move may be an atomic of C11 all the same; no
 * store to a header is one, in the supported NumPys.
 */
#ifndef FTSAN_WORD_RACE_H
#define FTSAN_WORD_RACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "findings/findings.h"
#include "threads/threads.h"
#include "words/watch.h"

struct ftsan_object;

/**
 * struct ftsan_word_host - what the owner of the words knows
 * @inside:   is a thread other than @self inside an operation on @object? Then @who is
 *            that thread's part in a report: role (CALL, unless more is known), tid,
 *            name, and a stack, if there is one that stays. NULL: nobody ever is
 * @ordered:  is the word one that is used under a lock, which is taken just now? Then who
 *            is merely inside waits for it, or will. NULL: none is
 * @describe: fills a cleared ftsan_object for the word. NULL: "a watched word"
 *
 * Context of both: signal handler; foreign memory only by ftsan_safe_read().
 */
struct ftsan_word_host {
	bool (*inside)(uintptr_t object, const struct ftsan_thread *self,
		       struct ftsan_party *who);
	void (*describe)(const struct ftsan_watchpoint *point, struct ftsan_object *out);
	bool (*ordered)(const struct ftsan_watchpoint *point);
};

/* Context: start-up. @host: borrowed, must stay; NULL: as if all its members were. */
void ftsan_word_race_init(const struct ftsan_options *options,
			  const struct ftsan_word_host *host);

/**
 * ftsan_word_hit() - an access to a watched word; a ftsan_watch_hit_fn
 *
 * The finding is in the log before either thread goes on. Returns at once where the
 * access meets nobody and may not be held up (one thread, an exhausted site, the budget).
 */
void ftsan_word_hit(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		    void *ucontext);

/* Names an incident after what it is: a value that was read and written back. */
void ftsan_word_lost_update(struct ftsan_incident *incident);

/* The stalled threads are the parent's. */
void ftsan_word_race_fork_child(void);

#endif
