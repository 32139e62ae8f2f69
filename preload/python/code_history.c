#include "python/code_history.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "threads/threads.h"

enum { ENTRIES = 1024, DEATHS = 16 };

/* PyCodeEvent (Include/cpython/code.h, 3.12 to 3.14). */
enum { EVENT_DESTROY = 1 };

/*
 * Lossy on purpose: an entry is one object's until another of the same bucket comes.
 * @code is stored last and checked again after reading, so a torn entry is no entry.
 */
struct entry {
	_Atomic uintptr_t code;
	_Atomic uint32_t death; /* index + 1 into the deaths, 0: alive */
	_Atomic bool whole;
	struct ftsan_alloc_site created;
	int created_tid;
};

struct death {
	_Atomic uintptr_t code;
	int tid;
	struct ftsan_stack stack;
};

static struct entry entries[ENTRIES];
static struct death *deaths;
static _Atomic uint32_t next_death;
static atomic_flag watching = ATOMIC_FLAG_INIT;
static _Atomic bool told; /* CPython tells of destructions */
static int watcher;	  /* its number for us */

static struct entry *bucket(uintptr_t code)
{
	return &entries[code * 0x9e3779b97f4a7c15ull >> 54];
}

static int tid_of_caller(void)
{
	const struct ftsan_thread *thread = ftsan_thread_self();

	return thread == NULL ? 0
			      : atomic_load_explicit(&thread->tid, memory_order_relaxed);
}

/* CPython calls this; it must not run Python code or raise. */
static int on_event(int event, void *object)
{
	struct entry *entry = bucket((uintptr_t)object);
	struct death *death;
	uint32_t number;

	if (event != EVENT_DESTROY || deaths == NULL ||
	    atomic_load_explicit(&entry->code, memory_order_acquire) != (uintptr_t)object)
		return 0;
	number = atomic_fetch_add_explicit(&next_death, 1, memory_order_relaxed) % DEATHS;
	atomic_store_explicit(&entry->whole, false, memory_order_relaxed);
	death = &deaths[number];
	atomic_store_explicit(&death->code, 0, memory_order_relaxed);
	death->tid = tid_of_caller();
	ftsan_stack_capture_here(&death->stack);
	atomic_store_explicit(&death->code, (uintptr_t)object, memory_order_release);
	atomic_store_explicit(&entry->death, number + 1, memory_order_release);
	return 0;
}

static void watch(void)
{
	int (*add_watcher)(int (*)(int, void *));

	if (atomic_flag_test_and_set(&watching))
		return;
	if (deaths == NULL)
		deaths = ftsan_sys_map(DEATHS * sizeof(*deaths));
	*(void **)&add_watcher = ftsan_real_lookup(RTLD_DEFAULT, "PyCode_AddWatcher");
	if (add_watcher == NULL || deaths == NULL)
		return;
	watcher = add_watcher(on_event);
	atomic_store_explicit(&told, watcher >= 0, memory_order_release);
}

void ftsan_code_history_stop(void)
{
	int (*clear_watcher)(int);

	*(void **)&clear_watcher = ftsan_real_lookup(RTLD_DEFAULT, "PyCode_ClearWatcher");
	if (!atomic_exchange(&told, false) || clear_watcher == NULL)
		return;
	(void)clear_watcher(watcher);
	/* From here on nobody says when one of these goes. */
	for (unsigned i = 0; i < ENTRIES; i++)
		atomic_store_explicit(&entries[i].code, 0, memory_order_relaxed);
	atomic_flag_clear(&watching);
}

void ftsan_code_history_created(uintptr_t code, const struct ftsan_alloc_site *site)
{
	struct entry *entry = bucket(code);

	watch();
	atomic_store_explicit(&entry->code, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->death, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->whole, false, memory_order_relaxed);
	entry->created = *site;
	entry->created_tid = tid_of_caller();
	atomic_store_explicit(&entry->code, code, memory_order_release);
}

bool ftsan_code_history_is_whole(uintptr_t code)
{
	const struct entry *entry = bucket(code);

	return atomic_load_explicit(&entry->code, memory_order_acquire) == code &&
	       atomic_load_explicit(&entry->whole, memory_order_relaxed);
}

void ftsan_code_history_set_whole(uintptr_t code)
{
	struct entry *entry = bucket(code);

	if (atomic_load_explicit(&told, memory_order_acquire) &&
	    atomic_load_explicit(&entry->code, memory_order_acquire) == code)
		atomic_store_explicit(&entry->whole, true, memory_order_relaxed);
}

bool ftsan_code_history_find(uintptr_t code, struct ftsan_code_past *past)
{
	struct entry *entry = bucket(code);
	uint32_t number;

	if (atomic_load_explicit(&entry->code, memory_order_acquire) != code)
		return false;
	*past = (struct ftsan_code_past){.created = entry->created,
					 .created_tid = entry->created_tid};
	number = atomic_load_explicit(&entry->death, memory_order_acquire);
	if (number != 0 && atomic_load_explicit(&deaths[number - 1].code,
						memory_order_acquire) == code) {
		past->destroyed = &deaths[number - 1].stack;
		past->destroyed_tid = deaths[number - 1].tid;
	}
	return atomic_load_explicit(&entry->code, memory_order_acquire) == code;
}
