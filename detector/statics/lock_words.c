/*
 * Words that are used as locks, known by what is done to them: from 0 to something by a
 * locked instruction, and back. Which of them are taken when a store is made.
 */
#include <string.h>

#include "base/base.h"
#include "locks/locks.h"
#include "stacks/stacks.h"
#include "statics/store.h"
#include "threads/threads.h"

/* A word that was never given back is a lock for so long: 20 ms. */
static const uint64_t FIRST_TSC = 60u * 1000 * 1000;
/* And where who took it is at it yet, for so long: 10 s. It is not a word that a function
 * sets once and for all, then, whichever of its calls this is. */
static const uint64_t HELD_TSC = UINT64_C(30) * 1000 * 1000 * 1000;

/* Modules that have such words: who takes one calls other libraries under it. */
enum { LOCKERS = 256 };
static struct static_module *_Atomic lockers[LOCKERS];
static _Atomic uint32_t n_lockers;

/* --- following them ----------------------------------------------------------------- */

static uint64_t part(uint64_t word, const struct ftsan_access *access)
{
	uint32_t at = access->address % 8, size = access->size;

	word >>= 8 * at;
	return size >= 8 ? word : word & ((1ull << 8 * size) - 1);
}

static struct static_lock_word *find_lock_word(struct static_module *module,
					       uintptr_t address)
{
	uint32_t n = atomic_load_explicit(&module->n_lock_words, memory_order_relaxed);

	for (uint32_t i = 0; i < n; i++)
		if (atomic_load_explicit(&module->lock_words[i].address,
					 memory_order_relaxed) == address)
			return &module->lock_words[i];
	return NULL;
}

static void note_locker(struct static_module *module)
{
	uint32_t n = atomic_load_explicit(&n_lockers, memory_order_relaxed);

	if (n == LOCKERS) {
		atomic_store_explicit(&module->lock_words_full, true,
				      memory_order_relaxed);
		return;
	}
	atomic_store_explicit(&lockers[n], module, memory_order_relaxed);
	atomic_store_explicit(&n_lockers, n + 1, memory_order_release);
}

static struct static_lock_word *new_lock_word(struct static_module *module,
					      const struct ftsan_access *access)
{
	uint32_t n = atomic_load_explicit(&module->n_lock_words, memory_order_relaxed);
	struct static_lock_word *word = NULL;

	/* What was never given back may be a flag: it makes room. */
	for (uint32_t i = 0; n == STATIC_LOCK_WORDS && word == NULL && i < n; i++)
		if (!module->lock_words[i].given_back)
			word = &module->lock_words[i];
	if (word != NULL)
		n--;
	else if (n < STATIC_LOCK_WORDS)
		word = &module->lock_words[n];
	if (word == NULL) {
		atomic_store_explicit(&module->lock_words_full, true,
				      memory_order_relaxed);
		return NULL;
	}
	if (n == 0)
		note_locker(module);
	word->serial = 0;
	word->counts = false;
	word->size = access->size;
	word->given_back = false;
	memset(word->frame, 0, sizeof(word->frame));
	atomic_store_explicit(&word->address, access->address, memory_order_relaxed);
	atomic_store_explicit(&module->n_lock_words, n + 1, memory_order_release);
	return word;
}

static void take(struct static_lock_word *word, const struct static_store *store, int tid,
		 const struct ftsan_stack *stack)
{
	word->serial++;
	word->tsc = ftsan_cpu_ticks();
	word->tid = tid;
	word->sp = store->sp;
	memset(word->frame, 0, sizeof(word->frame));
	for (unsigned i = 0; stack != NULL && i < STATIC_TAKER && i < stack->n_native;
	     i++)
		word->frame[i] = stack->pc[i];
}

/* @stack: of who takes it, NULL: the word is known to be a lock. */
static void follow(const struct static_store *store, int tid,
		   const struct ftsan_stack *stack)
{
	uint64_t old = part(store->old, &store->access);
	uint64_t new = part(store->new, &store->access);
	struct static_lock_word *word =
		find_lock_word(store->module, store->access.address);

	if (word == NULL && store->access.atomic && old == 0 && new != 0)
		word = new_lock_word(store->module, &store->access);
	if (word == NULL)
		return;
	/* Nobody tries to take what he holds. */
	if (old != 0 && new != 0 && store->access.atomic &&
	    (old != new || word->tid == tid))
		word->counts = true;
	if (old == 0 && new != 0)
		take(word, store, tid, stack);
	/* PyMutex is a byte, and keeps a bit for those that wait. */
	if ((old != 0 && new == 0) || (store->access.size == 1 && (old & 1) > (new & 1)))
		word->given_back = true;
}

/* needs_stack() - is it taken, and not known to be a lock? */
static bool needs_stack(const struct static_store *store)
{
	const struct static_lock_word *word =
		find_lock_word(store->module, store->access.address);

	return store->access.atomic && part(store->old, &store->access) == 0 &&
	       part(store->new, &store->access) != 0 &&
	       (word == NULL || !word->given_back);
}

void static_follow_lock_word(const struct static_store *store,
			     struct ftsan_thread *thread, const void *ucontext)
{
	struct ftsan_stack *stack = NULL;

	if (!store->has_new || store->access.size > 8)
		return;
	if (needs_stack(store)) {
		stack = &thread->stack;
		ftsan_stack_capture(stack, ucontext);
	}
	static_records_lock();
	follow(store, atomic_load_explicit(&thread->tid, memory_order_relaxed), stack);
	static_records_unlock();
}

void static_add_held(struct static_store *store, struct ftsan_static_lock lock,
		     uint8_t kind, uintptr_t pc)
{
	if (store->n_held == STATIC_HELD)
		return;
	store->held[store->n_held] = lock;
	store->held_kind[store->n_held] = kind;
	store->held_pc[store->n_held++] = pc;
}

/* --- those that are taken ------------------------------------------------------------
 */

static bool is_taken(const struct static_lock_word *word, uintptr_t address)
{
	uint64_t value = 0;

	return ftsan_safe_read(&value, (const void *)address,
			       word->size < 8 ? word->size : 8) == 0 &&
	       value != 0;
}

/* called_alike() - frame @i of the stack and frame @level of who took the word have the
 * same callers. */
static bool called_alike(const struct ftsan_stack *stack, unsigned i,
			 const uintptr_t *frame, unsigned level)
{
	while (++level < STATIC_TAKER && frame[level] != 0)
		if (++i >= stack->n_native || stack->pc[i] != frame[level])
			return false;
	return true;
}

/* Of a return address, the function that it returns to. */
static uintptr_t function_of(uintptr_t pc, unsigned level)
{
	return ftsan_function_start(pc - (level > 0));
}

static bool is_on(const struct ftsan_stack *stack, const uintptr_t *frame, unsigned level)
{
	uintptr_t function = function_of(frame[level], level);

	for (unsigned i = 0; function != 0 && i < stack->n_native; i++)
		if (called_alike(stack, i, frame, level) &&
		    function_of(stack->pc[i], i) == function)
			return true;
	return false;
}

/* is_at_it() - the function that took the word has not returned; or the one that had it
 * taken, where to take a lock is a function of its own. */
static bool is_at_it(const struct ftsan_stack *stack, const uintptr_t *frame)
{
	enum { HELPERS = 2 };

	for (unsigned level = 0; level <= HELPERS && frame[level] != 0; level++) {
		if (static_code_of(frame[level]) != STATIC_CODE_MODULE)
			return false;
		if (is_on(stack, frame, level))
			return true;
	}
	return false;
}

/* struct question - @stack: of the thread, once somebody has asked for it */
struct question {
	struct static_store *store;
	struct ftsan_thread *thread;
	const void *ucontext;
	struct ftsan_stack *stack;
	int tid;
	uint64_t now;
};

static bool is_held_on(struct question *q, const struct static_lock_word *word)
{
	if (q->now - word->tsc > HELD_TSC)
		return false;
	if (q->stack == NULL) {
		q->stack = &q->thread->stack;
		ftsan_stack_capture(q->stack, q->ucontext);
	}
	return is_at_it(q->stack, word->frame);
}

/* Never given back: a counter, a flag that says that something was done once, or a lock
 * that is held for the first time. */
static bool may_be_held(struct question *q, const struct static_lock_word *word, bool own)
{
	if (word->counts)
		return false;
	return (own && q->now - word->tsc < FIRST_TSC) || is_held_on(q, word);
}

/* @own: a lock of the module that is stored to. Another one's counts if this thread has
 * taken it, and the call has not returned. */
static void ask(struct question *q, const struct static_lock_word *word, bool own)
{
	struct static_store *store = q->store;
	uintptr_t address = atomic_load_explicit(&word->address, memory_order_relaxed);
	bool inside = word->tid == q->tid && store->sp <= word->sp + STATIC_FRAME_BYTES;

	if (address == 0 || (!own && !inside) || !is_taken(word, address))
		return;
	if (!word->given_back) {
		store->lock_unknown |= inside && may_be_held(q, word, own);
		return;
	}
	static_add_held(
		store,
		(struct ftsan_static_lock){.address = address,
					   .serial = word->serial,
					   .inside = true,
					   .recent = inside || q->now - word->tsc <
								       STATIC_RECENT_TSC},
		FTSAN_LOCK_WORD, 0);
}

void static_add_lock_words(struct static_store *store, struct ftsan_thread *thread,
			   const void *ucontext)
{
	struct question question = {
		.store = store,
		.thread = thread,
		.ucontext = ucontext,
		.tid = atomic_load_explicit(&thread->tid, memory_order_relaxed),
		.now = ftsan_cpu_ticks(),
	};
	uint32_t n = atomic_load_explicit(&n_lockers, memory_order_acquire);

	for (uint32_t i = 0; i < n; i++) {
		struct static_module *module =
			atomic_load_explicit(&lockers[i], memory_order_relaxed);
		uint32_t words =
			atomic_load_explicit(&module->n_lock_words, memory_order_acquire);

		if (atomic_load_explicit(&module->gone, memory_order_relaxed))
			continue;
		for (uint32_t k = 0; k < words; k++)
			ask(&question, &module->lock_words[k], module == store->module);
	}
}
