/* Whether watchpoints work here: proof of life, at start. */
#include <errno.h>

#include "base/base.h"
#include "words/watch.h"
#include "words/watch_reason.h"
#include "words/watch_slot.h"

static volatile uint64_t proof_word;
static volatile uint32_t proof_hits;

static void prove_hit(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		      void *ucontext)
{
	(void)thread;
	(void)ucontext;
	proof_hits = proof_hits + (point->address == (uintptr_t)&proof_word);
}

/* try_word() - an access, with the word watched this way: how many hits, or -errno. */
static int try_word(struct ftsan_thread *thread, bool reads)
{
	struct ftsan_watchpoint point = {.address = (uintptr_t)&proof_word,
					 .length = sizeof(proof_word),
					 .reads = reads};
	struct ftsan_watch_slot *slot = &ftsan_words_of(thread)->watch.slots[0];
	int error;

	proof_hits = 0;
	error = ftsan_watch_slot_aim(thread, slot, &point);
	if (error < 0)
		return error;
	if (reads)
		(void)proof_word;
	else
		proof_word++;
	return (int)proof_hits;
}

static int prove(struct ftsan_thread *thread)
{
	int stored = try_word(thread, false);
	int loaded = stored == 1 ? try_word(thread, true) : 0;

	if (stored < 0)
		return stored;
	ftsan_watch_slot_rest(&ftsan_words_of(thread)->watch,
			      &ftsan_words_of(thread)->watch.slots[0]);
	proof_word++;
	return stored == 1 && loaded == 1 && proof_hits == 1 ? 0 : -EIO;
}

/* Own text is the program's while the proof lasts. */
static int prove_as_program(struct ftsan_thread *thread)
{
	uintptr_t end = ftsan_watch_config.own_end;
	ftsan_watch_hit_fn handler = ftsan_watch_config.on_hit;
	int error;

	ftsan_watch_config.own_end = ftsan_watch_config.own_begin;
	ftsan_watch_config.on_hit = prove_hit;
	error = prove(thread);
	ftsan_watch_config.on_hit = handler;
	ftsan_watch_config.own_end = end;
	return error;
}

int ftsan_watch_init(void)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	int error = -ENOMEM;

	ftsan_watch_slots_init();
	if (thread != NULL)
		error = prove_as_program(thread);
	if (thread != NULL)
		ftsan_watch_thread_end(thread);
	ftsan_watch_note_refusal(error);
	/* The coverage record speaks of the program's words only. */
	atomic_store_explicit(&ftsan_counters.watch_hits, 0, memory_order_relaxed);
	atomic_store_explicit(&ftsan_counters.watch_stale, 0, memory_order_relaxed);
	ftsan_watch_config.active = error == 0;
	return error;
}
