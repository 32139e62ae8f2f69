/* Takes a store into the records, and asks the rules what to think of it. */
#include "base/base.h"
#include "locks/locks.h"
#include "memory/memory.h"
#include "stacks/stacks.h"
#include "statics/config.h"
#include "statics/store.h"
#include "threads/threads.h"

/* --- facts ------------------------------------------------------------------------ */

static bool looks_like_pointer(uint64_t value)
{
	return value >= 0x10000 && value < FTSAN_CPU_USER_END && value % 4 == 0 &&
	       value > 0xffffffff;
}

static bool is_text(uint64_t value, const struct static_module *module)
{
	const struct ftsan_module *of = ftsan_module_of(value);

	return of != NULL && of == module->module &&
	       (value < module->begin || value >= module->end);
}

bool static_stores_pointer(const struct static_store *store)
{
	return store->has_new && store->access.size == 8 &&
	       looks_like_pointer(store->new) && !is_text(store->new, store->module);
}

static void take_values(struct static_word *word, const struct static_store *store)
{
	struct ftsan_static_facts *facts = &word->facts;

	if (!store->has_new) {
		facts->changed += 2;
		return;
	}
	if (facts->judged == 1) {
		word->first_old = store->old;
		word->first_new = store->new;
	}
	word->last_old = store->old;
	word->last_new = store->new;
	if (store->new == store->old && store->access.size <= 8) {
		facts->same++;
		return;
	}
	if (store->old == 0)
		facts->from_null++;
	else if (store->new == 0)
		facts->to_null++;
	else
		facts->changed++;
	if (store->access.size == 8 && looks_like_pointer(store->new)) {
		facts->new_pointer = true;
		facts->new_text = is_text(store->new, store->module);
	}
	if (store->access.size == 8 && looks_like_pointer(store->old) && store->new != 0)
		facts->old_pointer = true;
}

static void keep_lock(struct static_word *word, const struct static_store *store)
{
	for (unsigned i = 0; i < store->n_held && word->locks.n > 0; i++) {
		if (store->held[i].address != word->locks.locks[0].address)
			continue;
		word->lock_kind = store->held_kind[i];
		word->lock_pc = store->held_pc[i];
	}
}

static void judge(struct static_word *word, const struct static_store *store)
{
	struct ftsan_static_facts *facts = &word->facts;

	facts->judged++;
	take_values(word, store);
	if (!store->lock_unknown)
		ftsan_rule_static_locks(&word->locks, store->held, store->n_held);
	keep_lock(word, store);
	facts->common_lock = word->locks.n > 0;
	/* One store with every page sealed decides. */
	facts->lock_unknown =
		store->lock_unknown && (facts->judged == 1 || facts->lock_unknown);
	if (store->run_words > facts->call_words)
		facts->call_words = store->run_words;
	if (store->run_repeated > facts->repeated_call_words)
		facts->repeated_call_words = store->run_repeated;
	facts->rmw |= store->rmw && !store->access.atomic;
	facts->detached |= store->detached;
	facts->gil = !static_config.free_threaded;
	facts->claims_safe = static_config.free_threaded && !store->module->asks_for_gil;
}

static void take_in(struct static_word *word, const struct static_store *store, int tid)
{
	struct ftsan_static_facts *facts = &word->facts;

	facts->atomic |= store->access.atomic;
	if (word->tid == 0)
		word->tid = tid;
	word->several_threads |= word->tid != tid;
	switch (store->reason) {
	case STATIC_JUDGED:
		judge(word, store);
		break;
	case STATIC_IMPORTING:
	case STATIC_ENDING:
		facts->imported++;
		break;
	case STATIC_GUARDED:
		facts->guarded++;
		break;
	case STATIC_LOCK_FUNCTION:
		facts->lock_functions++;
		break;
	case STATIC_FOREIGN:
		facts->foreign++;
		break;
	case STATIC_IN_HEADER:
		facts->headers++;
		break;
	}
}

/* Who called the function that stored; through the memmove of libc, if it was that. */
static void note_callers(const struct static_store *store, struct ftsan_thread *thread,
			 const void *ucontext)
{
	struct ftsan_stack *stack = &thread->stack;

	ftsan_stack_capture(stack, ucontext);
	for (unsigned i = 0; i < STATIC_CALLERS && 1 + i < stack->n_native; i++)
		store->writer->caller[i] = stack->pc[1 + i];
}

/* @stores: the writer's, this one counted. */
static void note_moment(struct static_writer *writer, uint32_t stores)
{
	unsigned power = 31 - (unsigned)__builtin_clz(stores);

	if ((stores & (stores - 1)) != 0)
		return;
	if (power >= STATIC_MOMENTS)
		power = STATIC_MOMENTS - 1;
	atomic_store_explicit(&writer->moments[power], ftsan_sys_wall_ns(),
			      memory_order_relaxed);
}

static void note_writer(struct static_thread *own, struct ftsan_thread *thread,
			const void *ucontext)
{
	const struct static_store *store = &own->store;
	uint32_t stores = 1 + atomic_fetch_add_explicit(&store->writer->stores, 1,
							memory_order_relaxed);

	if (static_config.inventory && stores > 0)
		note_moment(store->writer, stores);
	if (!store->is_new)
		return;
	store->writer->size = (uint16_t)store->access.size;
	store->writer->atomic = store->access.atomic;
	store->writer->rmw = store->rmw;
	store->writer->by_libc = static_code_of(store->pc) == STATIC_CODE_LIBC;
	if (static_config.inventory)
		note_callers(store, thread, ucontext);
}

static bool rests_on_words(struct ftsan_static_verdict verdict)
{
	return verdict.class == FTSAN_STATIC_TORN ||
	       verdict.class == FTSAN_STATIC_INIT_MANY;
}

/* Calls are told by the stack pointer, which other functions may have had as well. */
struct ftsan_static_verdict static_verdict_of(const struct static_word *word)
{
	struct ftsan_static_facts facts = word->facts;

	if (word->checked > 0 && !word->together)
		facts.call_words = facts.repeated_call_words = 1;
	return ftsan_rule_static(&facts);
}

/* What libc and the interpreter lock the bus for are their locks. */
static void note_atomic(const struct static_store *store)
{
	atomic_store_explicit(&store->page->has_atomics, true, memory_order_relaxed);
	if (!store->writer->by_libc &&
	    (store->reason == STATIC_JUDGED || store->reason == STATIC_IMPORTING))
		atomic_store_explicit(&store->module->has_atomics, true,
				      memory_order_relaxed);
}

void static_settle(struct static_thread *own, struct ftsan_thread *thread,
		   const void *ucontext)
{
	struct static_store *store = &own->store;
	int tid = atomic_load_explicit(&thread->tid, memory_order_relaxed);
	struct ftsan_static_verdict verdict;

	if (store->settled || store->word == NULL || store->writer == NULL)
		return;
	store->settled = true;
	atomic_fetch_add_explicit(&store->word->stores, 1, memory_order_relaxed);
	note_writer(own, thread, ucontext);
	if (store->access.atomic)
		note_atomic(store);
	if (!store->writer->by_libc)
		static_follow_lock_word(store, thread, ucontext);
	if (store->known)
		return;
	static_count_run(own);
	static_records_lock();
	take_in(store->word, store, tid);
	verdict = static_verdict_of(store->word);
	static_records_unlock();
	if (rests_on_words(verdict) && !static_words_together(own)) {
		static_records_lock();
		verdict = static_verdict_of(store->word);
		static_records_unlock();
	}
	if (store->reason == STATIC_JUDGED && static_config.latent)
		static_report_hazard(own, thread, verdict, ucontext);
}
