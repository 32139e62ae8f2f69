/* What is to be known of a store before it is made: why it may do without a lock, and
 * which locks its thread holds. */
#include <string.h>

#include "base/base.h"
#include "locks/locks.h"
#include "memory/memory.h"
#include "stacks/stacks.h"
#include "statics/config.h"
#include "statics/store.h"
#include "threads/threads.h"

/* Locks that were taken while their page was open are given back by then: 1 ms. */
static const uint64_t SEALED_TSC = 3u * 1000 * 1000;
/* Several threads are at a module if they were within so long. */
static const uint64_t SHARED_NS = 1000u * 1000 * 1000;
/* A word that was stored to so often, always for a good reason, is asked about once in
 * so many stores from then on. What an atomic is, or an object's header, stays one. */
enum { KNOWN_STORES = 64, KNOWN_STORES_LASTING = 8, KNOWN_EVERY = 16 };
/* libc's locks and conditions are no larger. */
enum { LOCK_BYTES = 64 };
/* Critical sections in critical sections. */
enum { SECTIONS_MAX = 4 };

/*
 * Static objects are told by their type and by their reference count: pointers to types
 * lie in static data for other reasons, too. Include/object.h: free-threaded,
 * ob_ref_local is the int at 12, and all ones in an object that is not counted (3.13
 * to 3.15); else the count is the lower half of the first word (3.14 keeps flags in the
 * upper quarter).
 */
static bool is_object(uintptr_t at)
{
	const struct ftsan_pyabi *abi = static_config.host->abi;
	uint64_t words[4] = {0};

	if (ftsan_safe_read(words, (const void *)at, abi->object_size) != 0 ||
	    !ftsan_memory_is_type(words[abi->ob_type / 8]))
		return false;
	if (abi->free_threaded)
		return words[1] >> 32 == 0xffffffff;
	return (words[0] & 0xffffffff) != 0 && (words[0] >> 32 & 0xffff) == 0;
}

static bool is_header(uintptr_t address)
{
	uint32_t size = static_config.host->abi->object_size;

	if (!static_config.host->abi->known || size > 32)
		return false;
	for (uint32_t into = 0; into < size; into += 8)
		if (is_object((address & ~(uintptr_t)7) - into))
			return true;
	return false;
}

static bool is_at_work(const struct ftsan_thread *thread, uintptr_t address)
{
	uintptr_t working = ftsan_held_of(thread)->working;

	return working != 0 && address - working + 8 < LOCK_BYTES + 8;
}

/* --- locks ------------------------------------------------------------------------ */

static bool is_of_package(const struct static_store *store, uintptr_t pc)
{
	const struct ftsan_module *native = pc == 0 ? NULL : ftsan_module_of(pc);

	return native != NULL && strstr(native->path, store->module->package) != NULL;
}

/* Who took it: native code of the module's own package, if that may be, is preferred. */
static uintptr_t taken_at(const struct static_store *store,
			  const struct ftsan_held_lock *lock)
{
	for (unsigned i = 0; i < FTSAN_HELD_NATIVES && !is_of_package(store, lock->pc);
	     i++)
		if (is_of_package(store, lock->native[i]))
			return lock->native[i];
	return lock->pc;
}

/* Was it code of the module's own package that took it, Python's or native? */
static bool by_package(const struct static_store *store,
		       const struct ftsan_held_lock *lock)
{
	char file[FTSAN_PYFILE_MAX];

	if (is_of_package(store, taken_at(store, lock)))
		return true;

	for (unsigned i = 0; i < FTSAN_HELD_CODES && lock->code[i] != 0; i++)
		if (ftsan_pyquick_file(static_config.host->abi, lock->code[i],
				       static_config.host->code_type, file,
				       sizeof(file)) &&
		    strstr(file, store->module->package) != NULL)
			return true;
	return false;
}

static bool is_python(enum ftsan_lock_kind kind)
{
	return kind == FTSAN_LOCK_LOCK || kind == FTSAN_LOCK_RLOCK;
}

static void add_held(struct static_store *store, const struct ftsan_thread *thread)
{
	const struct ftsan_held *held = ftsan_held_of(thread);
	uint32_t n = atomic_load_explicit(&held->n, memory_order_relaxed);
	uint64_t now = ftsan_cpu_ticks();

	for (uint32_t i = 0; i < n && i < FTSAN_HELD_MAX; i++) {
		const struct ftsan_held_lock *lock = &held->locks[i];
		uintptr_t address =
			atomic_load_explicit(&lock->address, memory_order_relaxed);
		bool python = is_python(lock->kind);

		if (address == 0)
			continue;
		static_add_held(
			store,
			(struct ftsan_static_lock){
				.address = address,
				/* Each thread counts its own. */
				.serial = lock->serial ^ thread->index << 20,
				.inside = python ? by_package(store, lock)
						 : static_code_of(lock->pc) !=
							   STATIC_CODE_FOREIGN,
				.recent = now - lock->tsc < STATIC_RECENT_TSC ||
					  store->sp < lock->sp + STATIC_FRAME_BYTES,
			},
			lock->kind, python ? taken_at(store, lock) : lock->pc);
	}
}

/* A once function, or the initialization of a C++ static, that has not returned. */
static bool is_guarded(const struct static_store *store,
		       const struct ftsan_thread *thread)
{
	const struct ftsan_held *held = ftsan_held_of(thread);
	uint32_t n = atomic_load_explicit(&held->n, memory_order_relaxed);

	for (uint32_t i = 0; i < n && i < FTSAN_HELD_MAX; i++) {
		if (held->locks[i].kind == FTSAN_LOCK_GUARD)
			return true;
		/* An exception may have left the function without its end. */
		if (held->locks[i].kind == FTSAN_LOCK_ONCE &&
		    store->sp < held->locks[i].sp)
			return true;
	}
	return false;
}

/*
 * PyThreadState.critical_section lies three words behind thread_id (Include/cpython/
 * pystate.h, 3.13 to 3.15, free-threaded). PyCriticalSection: previous one, mutex; the
 * lowest bits of a link are flags: 1 is a section that was suspended, and those behind it
 * with it.
 */
static void add_sections(struct static_store *store, uintptr_t tstate)
{
	const struct ftsan_pyabi *abi = static_config.host->abi;
	uintptr_t at, pair[2];

	if (!abi->known || !abi->free_threaded || tstate == 0 ||
	    !ftsan_safe_ptr(tstate + abi->tstate_thread_id + 24, &at))
		return;
	for (unsigned i = 0; i < SECTIONS_MAX && at != 0 && (at & 1) == 0; i++) {
		if (ftsan_safe_read(pair, (const void *)(at & ~(uintptr_t)3),
				    sizeof(pair)) != 0)
			return;
		static_add_held(store,
				(struct ftsan_static_lock){.address = pair[1],
							   .inside = true,
							   .recent = true},
				FTSAN_LOCK_SECTION, 0);
		at = pair[0];
	}
}

/* --- all of it -------------------------------------------------------------------- */

/* Always for a good reason so far, and often. */
static bool is_boring(const struct static_store *store)
{
	struct ftsan_static_verdict verdict;
	uint32_t n;

	if (store->word == NULL || store->writer == NULL)
		return true;
	n = atomic_load_explicit(&store->word->stores, memory_order_relaxed);
	if (store->is_new || n < KNOWN_STORES_LASTING)
		return false;
	verdict = ftsan_rule_static(&store->word->facts);
	if (verdict.class == FTSAN_STATIC_ATOMIC || verdict.class == FTSAN_STATIC_HEADER)
		return true;
	return n >= KNOWN_STORES && verdict.grade == FTSAN_GRADE_COUNTED;
}

static bool is_known(const struct static_store *store)
{
	return store->boring &&
	       (store->word == NULL ||
		atomic_load_explicit(&store->word->stores, memory_order_relaxed) %
				KNOWN_EVERY !=
			0);
}

static bool is_ending(void)
{
	int (*finalizing)(void) = static_config.host->finalizing;

	return static_config.ending || (finalizing != NULL && finalizing() != 0);
}

/*
 * The main thread without a frame of Python: the interpreter's exit handlers are at work,
 * before it says that it ends (Python/pylifecycle.c, Py_FinalizeEx: atexit comes after
 * the join of threads). What they call from C has none.
 */
static bool is_exiting(const struct ftsan_thread *thread, uintptr_t tstate)
{
	const struct ftsan_pyabi *abi = static_config.host->abi;
	uintptr_t code;

	return abi->known && tstate != 0 &&
	       atomic_load_explicit(&thread->tid, memory_order_relaxed) ==
		       ftsan_sys_getpid() &&
	       ftsan_pyquick_codes(abi, tstate, &code, 1) == 0;
}

static enum static_reason reason_of(const struct static_store *store,
				    const struct ftsan_thread *thread, uintptr_t tstate)
{
	enum static_code code = static_code_of(store->pc);

	if (is_ending())
		return STATIC_ENDING;
	if (code == STATIC_CODE_FOREIGN)
		return STATIC_FOREIGN;
	if (code == STATIC_CODE_LIBC && is_at_work(thread, store->access.address))
		return STATIC_LOCK_FUNCTION;
	if (is_guarded(store, thread))
		return STATIC_GUARDED;
	if (is_header(store->access.address))
		return STATIC_IN_HEADER;
	if (ftsan_pyquick_importing(static_config.host->abi, tstate))
		return STATIC_IMPORTING;
	if (is_exiting(thread, tstate))
		return STATIC_ENDING;
	return STATIC_JUDGED;
}

/*
 * Where threads are held up, several at one module have its pages open for long, and what
 * takes a lock in that time passes unseen. Windows tell then who races.
 */
static bool is_shared(const struct static_module *module)
{
	uint64_t shared = atomic_load_explicit(&module->shared_ns, memory_order_relaxed);

	return static_config.host->delays && shared != 0 &&
	       ftsan_sys_now_ns() - shared < SHARED_NS;
}

/* A lock word may have been taken while its page was open. */
static bool locks_unknown(const struct static_module *module)
{
	return is_shared(module) ||
	       atomic_load_explicit(&module->open_locks, memory_order_relaxed) > 0 ||
	       atomic_load_explicit(&module->lock_words_full, memory_order_relaxed) ||
	       ftsan_cpu_ticks() - atomic_load_explicit(&module->sealed_tsc,
							memory_order_relaxed) <
		       SEALED_TSC;
}

void static_observe(struct static_thread *own, struct ftsan_thread *thread,
		    const void *ucontext)
{
	const struct ftsan_static_host *host = static_config.host;
	struct static_store *store = &own->store;
	bool attached;
	uintptr_t tstate;

	store->n_held = 0;
	store->reason = STATIC_JUDGED;
	store->boring = is_boring(store);
	store->known = is_known(store);
	if (store->known)
		return;
	tstate = ftsan_pyquick_state(host->abi, host->tstate_get, host->tstate_gilstate,
				     &attached);
	store->detached = !attached;
	store->reason = reason_of(store, thread, tstate);
	if (store->reason != STATIC_JUDGED)
		return;
	add_held(store, thread);
	add_sections(store, attached ? tstate : 0);
	static_add_lock_words(store, thread, ucontext);
	store->lock_unknown |= locks_unknown(store->module);
}
