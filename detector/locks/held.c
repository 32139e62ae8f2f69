#include "locks/held.h"

#include <stddef.h>
#include <string.h>

#include "threads/threads.h"

_Static_assert(sizeof(struct ftsan_held) <=
		       sizeof(((struct ftsan_thread *)0)->part_locks),
	       "the record has room for it");

struct ftsan_held *ftsan_held_of(const struct ftsan_thread *thread)
{
	return FTSAN_THREAD_PART(thread, locks);
}

static uint64_t tsc(void)
{
	return ftsan_cpu_ticks();
}

const char *ftsan_lock_kind_name(enum ftsan_lock_kind kind)
{
	static const char *const names[] = {
		[FTSAN_LOCK_NONE] = "lock",
		[FTSAN_LOCK_MUTEX] = "pthread mutex",
		[FTSAN_LOCK_READ] = "pthread rwlock (reading)",
		[FTSAN_LOCK_WRITE] = "pthread rwlock (writing)",
		[FTSAN_LOCK_SPIN] = "pthread spinlock",
		[FTSAN_LOCK_ONCE] = "once function",
		[FTSAN_LOCK_GUARD] = "C++ guard",
		[FTSAN_LOCK_PYTHREAD] = "PyThread lock",
		[FTSAN_LOCK_PYMUTEX] = "PyMutex",
		[FTSAN_LOCK_LOCK] = "threading.Lock",
		[FTSAN_LOCK_RLOCK] = "threading.RLock",
		[FTSAN_LOCK_SECTION] = "critical section",
		[FTSAN_LOCK_SEMAPHORE] = "semaphore",
		[FTSAN_LOCK_WORD] = "static lock word",
	};

	return names[kind];
}

void ftsan_lock_begin(enum ftsan_lock_kind kind, const void *address, uintptr_t pc)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_held *held;

	if (thread == NULL)
		return;
	held = ftsan_held_of(thread);
	held->waits_kind = (uint8_t)kind;
	held->waits_pc = pc;
	held->waits_tsc = tsc();
	atomic_store_explicit(&held->waits_for, (uintptr_t)address, memory_order_release);
}

void ftsan_lock_missed(void)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	if (thread != NULL)
		atomic_store_explicit(&ftsan_held_of(thread)->waits_for, 0,
				      memory_order_relaxed);
}

/* remove_at() - the thread's own list: what came later moves down. */
static void remove_at(struct ftsan_held *held, uint32_t at)
{
	uint32_t n = atomic_load_explicit(&held->n, memory_order_relaxed);

	for (; at + 1 < n; at++) {
		struct ftsan_held_lock *to = &held->locks[at], *from = to + 1;
		uintptr_t address =
			atomic_load_explicit(&from->address, memory_order_relaxed);

		to->kind = from->kind;
		to->again = from->again;
		to->serial = from->serial;
		to->tsc = from->tsc;
		to->pc = from->pc;
		to->sp = from->sp;
		memcpy(to->native, from->native, sizeof(to->native));
		memcpy(to->code, from->code, sizeof(to->code));
		atomic_store_explicit(&to->address, address, memory_order_relaxed);
	}
	atomic_store_explicit(&held->n, n - 1, memory_order_release);
}

/* Taken again only once it was given back, whether that was seen or not. */
static bool is_binary(unsigned kind)
{
	return kind == FTSAN_LOCK_LOCK || kind == FTSAN_LOCK_PYTHREAD ||
	       kind == FTSAN_LOCK_PYMUTEX;
}

/* latest() - the entry of @address, or @n. */
static uint32_t latest(const struct ftsan_held *held, uint32_t n, uintptr_t address)
{
	for (uint32_t i = n; i-- > 0;)
		if (atomic_load_explicit(&held->locks[i].address, memory_order_relaxed) ==
		    address)
			return i;
	return n;
}

/* What can do without its entry: the oldest of those that nobody may ever give back. */
static uint32_t leftover(const struct ftsan_held *held)
{
	for (uint32_t i = 0; i < FTSAN_HELD_MAX; i++)
		if (is_binary(held->locks[i].kind) ||
		    held->locks[i].kind == FTSAN_LOCK_SEMAPHORE)
			return i;
	return 0;
}

/* make_room() - for @address, at the end; false: it has an entry, which counts it. */
static bool make_room(struct ftsan_held *held, enum ftsan_lock_kind kind,
		      uintptr_t address)
{
	uint32_t n = atomic_load_explicit(&held->n, memory_order_relaxed);
	uint32_t at;

	if (!is_binary(kind) && n < FTSAN_HELD_MAX)
		return true;
	at = latest(held, n, address);
	if (at < n && !is_binary(kind)) {
		if (held->locks[at].again < UINT16_MAX)
			held->locks[at].again++;
		return false;
	}
	if (at < n)
		remove_at(held, at);
	else if (n == FTSAN_HELD_MAX)
		remove_at(held, leftover(held));
	return true;
}

void ftsan_lock_taken(enum ftsan_lock_kind kind, const void *address,
		      const struct ftsan_lock_place *place)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_held *held;
	struct ftsan_held_lock *lock;
	uint32_t n;

	if (thread == NULL)
		return;
	held = ftsan_held_of(thread);
	atomic_store_explicit(&held->waits_for, 0, memory_order_relaxed);
	held->serial++;
	if (!make_room(held, kind, (uintptr_t)address))
		return;
	n = atomic_load_explicit(&held->n, memory_order_relaxed);
	lock = &held->locks[n];
	lock->kind = (uint8_t)kind;
	lock->again = 0;
	lock->serial = held->serial;
	lock->tsc = tsc();
	lock->pc = place->pc;
	lock->sp = place->sp;
	memcpy(lock->native, place->native, sizeof(lock->native));
	memcpy(lock->code, place->code, sizeof(lock->code));
	atomic_store_explicit(&lock->address, (uintptr_t)address, memory_order_relaxed);
	atomic_store_explicit(&held->n, n + 1, memory_order_release);
}

/* drop_own() - the latest acquisition of @address, and what others have released. */
static bool drop_own(struct ftsan_held *held, uintptr_t address)
{
	for (uint32_t i = atomic_load_explicit(&held->n, memory_order_relaxed);
	     i-- > 0;) {
		uintptr_t at = atomic_load_explicit(&held->locks[i].address,
						    memory_order_relaxed);

		if (at != 0 && at != address)
			continue;
		if (at == address && held->locks[i].again > 0) {
			held->locks[i].again--;
			return true;
		}
		remove_at(held, i);
		if (at == address)
			return true;
	}
	return false;
}

static void drop_of_others(const struct ftsan_thread *self, uintptr_t address)
{
	uint32_t n = ftsan_threads_used();

	for (uint32_t i = 0; i < n; i++) {
		struct ftsan_thread *thread = ftsan_thread_at(i);
		uint32_t held;

		if (thread == NULL || thread == self)
			continue;
		held = atomic_load_explicit(&ftsan_held_of(thread)->n,
					    memory_order_acquire);
		for (uint32_t k = 0; k < held && k < FTSAN_HELD_MAX; k++) {
			uintptr_t expected = address;

			if (atomic_compare_exchange_strong(
				    &ftsan_held_of(thread)->locks[k].address, &expected,
				    0))
				return;
		}
	}
}

void ftsan_lock_dropped(const void *address)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	if (thread == NULL)
		return;
	if (!drop_own(ftsan_held_of(thread), (uintptr_t)address))
		drop_of_others(thread, (uintptr_t)address);
}

void ftsan_lock_saved(const void *address)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_held *held;
	uint32_t times = 0;

	if (thread == NULL)
		return;
	held = ftsan_held_of(thread);
	while (drop_own(held, (uintptr_t)address))
		times++;
	for (unsigned i = 0; i < FTSAN_HELD_SAVED; i++) {
		if (held->saved[i].address != 0)
			continue;
		held->saved[i].address = (uintptr_t)address;
		held->saved[i].times = times;
		return;
	}
}

uint32_t ftsan_lock_restored(const void *address)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_held *held = thread == NULL ? NULL : ftsan_held_of(thread);

	for (unsigned i = 0; held != NULL && i < FTSAN_HELD_SAVED; i++) {
		if (held->saved[i].address != (uintptr_t)address)
			continue;
		held->saved[i].address = 0;
		return held->saved[i].times;
	}
	return 1;
}

uintptr_t ftsan_lock_touch(const void *address)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	uintptr_t before;

	if (thread == NULL)
		return 0;
	before = ftsan_held_of(thread)->working;
	ftsan_held_of(thread)->working = (uintptr_t)address;
	return before;
}

void ftsan_lock_untouch(uintptr_t before)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	if (thread != NULL)
		ftsan_held_of(thread)->working = before;
}

void ftsan_held_thread_end(struct ftsan_thread *thread)
{
	struct ftsan_held *held = ftsan_held_of(thread);

	atomic_store_explicit(&held->n, 0, memory_order_relaxed);
	atomic_store_explicit(&held->waits_for, 0, memory_order_relaxed);
	held->working = 0;
	for (unsigned i = 0; i < FTSAN_HELD_SAVED; i++)
		held->saved[i].address = 0;
}

void ftsan_held_fork_child(void)
{
	uint32_t n = ftsan_threads_used();

	for (uint32_t i = 0; i < n; i++) {
		struct ftsan_thread *thread = ftsan_thread_at(i);

		if (thread != NULL && thread != ftsan_thread_mine)
			ftsan_held_thread_end(thread);
	}
}
