/*
 * The wrappers of the lock functions. Each leaves errno and the result alone.
 *
 * While the original runs, it is noted which object libc works on: libc stores to it, and
 * those stores are the lock's, not the program's.
 */
#include "locks/hook_locks.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "locks/locks.h"
#include "statics/statics.h"

struct ftsan_real_locks ftsan_real_locks;

#define HERE                                                                             \
	{                                                                                \
		.pc = (uintptr_t)__builtin_return_address(0),                            \
		.sp = (uintptr_t)__builtin_frame_address(0)                              \
	}

/* begin() - libc is about to work on a lock; what ftsan_lock_untouch() wants. */
static uintptr_t begin(enum ftsan_lock_kind kind, const void *lock,
		       const struct ftsan_lock_place *place)
{
	ftsan_statics_lock_at((uintptr_t)lock);
	ftsan_lock_begin(kind, lock, place->pc);
	return ftsan_lock_touch(lock);
}

static void end(enum ftsan_lock_kind kind, const void *lock,
		const struct ftsan_lock_place *place, uintptr_t before, bool taken)
{
	ftsan_lock_untouch(before);
	if (taken)
		ftsan_lock_taken(kind, lock, place);
	else
		ftsan_lock_missed();
}

#define TAKE(kind, lock, is_taken, call)                                                 \
	do {                                                                             \
		struct ftsan_lock_place place = HERE;                                    \
		uintptr_t before = begin(kind, lock, &place);                            \
		int result = (call);                                                     \
                                                                                         \
		end(kind, lock, &place, before, is_taken);                               \
		return result;                                                           \
	} while (0)

/* A robust mutex whose owner died is taken, too. */
#define IS_TAKEN (result == 0 || result == EOWNERDEAD)

#define WORK(object, call)                                                               \
	do {                                                                             \
		uintptr_t before;                                                        \
		int result;                                                              \
                                                                                         \
		ftsan_statics_lock_at((uintptr_t)(object));                              \
		before = ftsan_lock_touch(object);                                       \
		result = (call);                                                         \
		ftsan_lock_untouch(before);                                              \
		return result;                                                           \
	} while (0)

#define DROP(lock, call)                                                                 \
	do {                                                                             \
		ftsan_lock_dropped(lock);                                                \
		WORK(lock, call);                                                        \
	} while (0)

int ftsan_lock_pthread_mutex_lock(void *lock)
{
	TAKE(FTSAN_LOCK_MUTEX, lock, IS_TAKEN, ftsan_real_locks.pthread_mutex_lock(lock));
}

int ftsan_lock_pthread_mutex_trylock(void *lock)
{
	TAKE(FTSAN_LOCK_MUTEX, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_mutex_trylock(lock));
}

int ftsan_lock_pthread_mutex_timedlock(void *lock, const void *until)
{
	TAKE(FTSAN_LOCK_MUTEX, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_mutex_timedlock(lock, until));
}

int ftsan_lock_pthread_mutex_clocklock(void *lock, int clock, const void *until)
{
	TAKE(FTSAN_LOCK_MUTEX, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_mutex_clocklock(lock, clock, until));
}

int ftsan_lock_pthread_mutex_unlock(void *lock)
{
	DROP(lock, ftsan_real_locks.pthread_mutex_unlock(lock));
}

int ftsan_lock_pthread_rwlock_rdlock(void *lock)
{
	TAKE(FTSAN_LOCK_READ, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_rwlock_rdlock(lock));
}

int ftsan_lock_pthread_rwlock_tryrdlock(void *lock)
{
	TAKE(FTSAN_LOCK_READ, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_rwlock_tryrdlock(lock));
}

int ftsan_lock_pthread_rwlock_timedrdlock(void *lock, const void *until)
{
	TAKE(FTSAN_LOCK_READ, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_rwlock_timedrdlock(lock, until));
}

int ftsan_lock_pthread_rwlock_wrlock(void *lock)
{
	TAKE(FTSAN_LOCK_WRITE, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_rwlock_wrlock(lock));
}

int ftsan_lock_pthread_rwlock_trywrlock(void *lock)
{
	TAKE(FTSAN_LOCK_WRITE, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_rwlock_trywrlock(lock));
}

int ftsan_lock_pthread_rwlock_timedwrlock(void *lock, const void *until)
{
	TAKE(FTSAN_LOCK_WRITE, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_rwlock_timedwrlock(lock, until));
}

int ftsan_lock_pthread_rwlock_unlock(void *lock)
{
	DROP(lock, ftsan_real_locks.pthread_rwlock_unlock(lock));
}

int ftsan_lock_pthread_spin_lock(void *lock)
{
	TAKE(FTSAN_LOCK_SPIN, lock, IS_TAKEN, ftsan_real_locks.pthread_spin_lock(lock));
}

int ftsan_lock_pthread_spin_trylock(void *lock)
{
	TAKE(FTSAN_LOCK_SPIN, lock, IS_TAKEN,
	     ftsan_real_locks.pthread_spin_trylock(lock));
}

int ftsan_lock_pthread_spin_unlock(void *lock)
{
	DROP(lock, ftsan_real_locks.pthread_spin_unlock(lock));
}

/* The function runs inside of it: what is held then is the once itself. An exception that
 * leaves the function leaves the entry, and the next call of the same once drops it. */
int ftsan_lock_pthread_once(void *once, void (*function)(void))
{
	struct ftsan_lock_place place = HERE;
	uintptr_t before;
	int result;

	ftsan_statics_lock_at((uintptr_t)once);
	before = ftsan_lock_touch(once);
	ftsan_lock_taken(FTSAN_LOCK_ONCE, once, &place);
	result = ftsan_real_locks.pthread_once(once, function);
	ftsan_lock_dropped(once);
	ftsan_lock_untouch(before);
	return result;
}

void ftsan_lock_call_once(void *once, void (*function)(void))
{
	struct ftsan_lock_place place = HERE;
	uintptr_t before;

	ftsan_statics_lock_at((uintptr_t)once);
	before = ftsan_lock_touch(once);
	ftsan_lock_taken(FTSAN_LOCK_ONCE, once, &place);
	ftsan_real_locks.call_once(once, function);
	ftsan_lock_dropped(once);
	ftsan_lock_untouch(before);
}

int ftsan_lock_mtx_lock(void *lock)
{
	TAKE(FTSAN_LOCK_MUTEX, lock, result == 0, ftsan_real_locks.mtx_lock(lock));
}

int ftsan_lock_mtx_trylock(void *lock)
{
	TAKE(FTSAN_LOCK_MUTEX, lock, result == 0, ftsan_real_locks.mtx_trylock(lock));
}

int ftsan_lock_mtx_timedlock(void *lock, const void *until)
{
	TAKE(FTSAN_LOCK_MUTEX, lock, result == 0,
	     ftsan_real_locks.mtx_timedlock(lock, until));
}

int ftsan_lock_mtx_unlock(void *lock)
{
	DROP(lock, ftsan_real_locks.mtx_unlock(lock));
}

/* The wait gives the mutex away and has it again afterwards, whatever comes of it. A
 * cancelled thread, which never comes back, ends. */
#define WAIT(call)                                                                       \
	do {                                                                             \
		struct ftsan_lock_place place = HERE;                                    \
		uintptr_t before;                                                        \
		int result;                                                              \
                                                                                         \
		ftsan_statics_lock_at((uintptr_t)lock);                                  \
		ftsan_statics_lock_at((uintptr_t)condition);                             \
		ftsan_lock_dropped(lock);                                                \
		ftsan_lock_begin(FTSAN_LOCK_MUTEX, lock, place.pc);                      \
		before = ftsan_lock_touch(condition);                                    \
		result = (call);                                                         \
		ftsan_lock_untouch(before);                                              \
		ftsan_lock_taken(FTSAN_LOCK_MUTEX, lock, &place);                        \
		return result;                                                           \
	} while (0)

int ftsan_lock_pthread_cond_wait(void *condition, void *lock)
{
	WAIT(ftsan_real_locks.pthread_cond_wait(condition, lock));
}

int ftsan_lock_pthread_cond_timedwait(void *condition, void *lock, const void *until)
{
	WAIT(ftsan_real_locks.pthread_cond_timedwait(condition, lock, until));
}

int ftsan_lock_pthread_cond_clockwait(void *condition, void *lock, int clock,
				      const void *until)
{
	WAIT(ftsan_real_locks.pthread_cond_clockwait(condition, lock, clock, until));
}

int ftsan_lock_pthread_cond_signal(void *condition)
{
	WORK(condition, ftsan_real_locks.pthread_cond_signal(condition));
}

int ftsan_lock_pthread_cond_broadcast(void *condition)
{
	WORK(condition, ftsan_real_locks.pthread_cond_broadcast(condition));
}

/* A semaphore has no owner: who waited has it until somebody posts, whoever that is. */
int ftsan_lock_sem_wait(void *semaphore)
{
	TAKE(FTSAN_LOCK_SEMAPHORE, semaphore, result == 0,
	     ftsan_real_locks.sem_wait(semaphore));
}

int ftsan_lock_sem_trywait(void *semaphore)
{
	TAKE(FTSAN_LOCK_SEMAPHORE, semaphore, result == 0,
	     ftsan_real_locks.sem_trywait(semaphore));
}

int ftsan_lock_sem_timedwait(void *semaphore, const void *until)
{
	TAKE(FTSAN_LOCK_SEMAPHORE, semaphore, result == 0,
	     ftsan_real_locks.sem_timedwait(semaphore, until));
}

int ftsan_lock_sem_post(void *semaphore)
{
	DROP(semaphore, ftsan_real_locks.sem_post(semaphore));
}

int ftsan_lock_pthread_barrier_wait(void *barrier)
{
	WORK(barrier, ftsan_real_locks.pthread_barrier_wait(barrier));
}

/* The guard's first byte says that it is done; libstdc++ uses the others while it is
 * held.
 */
int ftsan_lock___cxa_guard_acquire(void *guard)
{
	TAKE(FTSAN_LOCK_GUARD, guard, result != 0,
	     ftsan_real_locks.__cxa_guard_acquire(guard));
}

void ftsan_lock___cxa_guard_release(void *guard)
{
	uintptr_t before;

	ftsan_lock_dropped(guard);
	before = ftsan_lock_touch(guard);
	ftsan_real_locks.__cxa_guard_release(guard);
	ftsan_lock_untouch(before);
}

void ftsan_lock___cxa_guard_abort(void *guard)
{
	uintptr_t before;

	ftsan_lock_dropped(guard);
	before = ftsan_lock_touch(guard);
	ftsan_real_locks.__cxa_guard_abort(guard);
	ftsan_lock_untouch(before);
}

int ftsan_lock_PyThread_acquire_lock(void *lock, int wait)
{
	TAKE(FTSAN_LOCK_PYTHREAD, lock, result == 1,
	     ftsan_real_locks.PyThread_acquire_lock(lock, wait));
}

int ftsan_lock_PyThread_acquire_lock_timed(void *lock, long long microseconds,
					   int interruptible)
{
	TAKE(FTSAN_LOCK_PYTHREAD, lock, result == 1,
	     ftsan_real_locks.PyThread_acquire_lock_timed(lock, microseconds,
							  interruptible));
}

void ftsan_lock_PyThread_release_lock(void *lock)
{
	ftsan_lock_dropped(lock);
	ftsan_real_locks.PyThread_release_lock(lock);
}

void ftsan_lock_PyMutex_Lock(void *mutex)
{
	struct ftsan_lock_place place = HERE;

	ftsan_lock_begin(FTSAN_LOCK_PYMUTEX, mutex, place.pc);
	ftsan_real_locks.PyMutex_Lock(mutex);
	ftsan_lock_taken(FTSAN_LOCK_PYMUTEX, mutex, &place);
}

void ftsan_lock_PyMutex_Unlock(void *mutex)
{
	ftsan_lock_dropped(mutex);
	ftsan_real_locks.PyMutex_Unlock(mutex);
}
