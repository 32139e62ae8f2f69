/*
 * Which locks a thread holds, and which one it waits for.
 *
 * Each thread keeps its own list, by the lock's address and with the place where it was
 * taken; the hooks of preload/locks fill it. Others may look: who asks why a program
 * hangs goes through the records of all threads (ftsan_thread_at()).
 *
 * Not every release is seen: who waits with a timeout takes a lock, and drops it when
 * nobody has released it (Condition.wait()); an inlined PyMutex_Unlock() calls nobody. So
 * a list that is full gives up its oldest entry, one that may be such a leftover first.
 *
 * Counting would not do: Condition.wait() takes a lock that another thread releases, and
 * a count leaks then.
 */
#ifndef FTSAN_LOCKS_HELD_H
#define FTSAN_LOCKS_HELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum ftsan_lock_kind {
	FTSAN_LOCK_NONE,
	FTSAN_LOCK_MUTEX, /* pthread_mutex_t, and std::mutex on top of it */
	FTSAN_LOCK_READ,  /* pthread_rwlock_t */
	FTSAN_LOCK_WRITE, /* the same */
	FTSAN_LOCK_SPIN,  /* pthread_spinlock_t */
	FTSAN_LOCK_ONCE,  /* pthread_once_t, std::call_once: while the function runs */
	FTSAN_LOCK_GUARD, /* the guard of a C++ local static, while it is initialized */
	FTSAN_LOCK_PYTHREAD,  /* PyThread_acquire_lock() */
	FTSAN_LOCK_PYMUTEX,   /* PyMutex_Lock(); what is inlined is not seen */
	FTSAN_LOCK_LOCK,      /* threading.Lock, by Python code */
	FTSAN_LOCK_RLOCK,     /* threading.RLock, by Python code */
	FTSAN_LOCK_SECTION,   /* a critical section of the interpreter */
	FTSAN_LOCK_SEMAPHORE, /* sem_t */
	FTSAN_LOCK_WORD,      /* a static word that is used as a lock */
};

enum {
	FTSAN_HELD_MAX = 24,
	FTSAN_HELD_CODES = 3,
	FTSAN_HELD_NATIVES = 3,
	FTSAN_HELD_SAVED = 4
};

/**
 * struct ftsan_held_lock - one lock that a thread holds
 * @address: of the lock, or of the object that is one; 0: released by another thread
 * @kind:    enum ftsan_lock_kind
 * @again:   how often it was taken again while the list was full
 * @serial:  the how manyth acquisition of this thread it is
 * @pc:      return address into the code that took it
 * @native:  Python locks: what may be that instead, one of each other module, 0: none
 * @sp:      its stack pointer, roughly
 * @code:    Python locks: code objects of the innermost Python frames, 0: unknown. They
 * may be gone
 */
struct ftsan_held_lock {
	_Atomic uintptr_t address;
	uint8_t kind;
	uint16_t again;
	uint32_t serial;
	uint64_t tsc;
	uintptr_t pc;
	uintptr_t sp;
	uintptr_t native[FTSAN_HELD_NATIVES];
	uintptr_t code[FTSAN_HELD_CODES];
};

/**
 * struct ftsan_held - of one thread, oldest first
 * @n:        entries; written by the thread alone
 * @serial:   acquisitions so far
 * @waits_for: lock that the thread waits for, or is just taking; 0: none
 * @waits_kind, @waits_pc, @waits_tsc: what kind, from where, since when
 * @working:  lock or condition that libc works on for this thread just now: stores to it
 *            are the lock's own
 * @saved:    recursive locks that were given up at once, to be taken again as often
 */
struct ftsan_held {
	_Atomic uint32_t n;
	uint32_t serial;
	_Atomic uintptr_t waits_for;
	uint8_t waits_kind;
	uintptr_t waits_pc;
	uint64_t waits_tsc;
	uintptr_t working;
	struct {
		uintptr_t address;
		uint32_t times;
	} saved[FTSAN_HELD_SAVED];
	struct ftsan_held_lock locks[FTSAN_HELD_MAX];
};

/* Where a lock is taken; @native and @code as above, all 0 for native code. */
struct ftsan_lock_place {
	uintptr_t pc;
	uintptr_t sp;
	uintptr_t native[FTSAN_HELD_NATIVES];
	uintptr_t code[FTSAN_HELD_CODES];
};

/**
 * ftsan_lock_begin() - the calling thread is about to take @address
 * ftsan_lock_taken() - it has it
 * ftsan_lock_missed() - it has not: try again, interrupted, an error
 * ftsan_lock_dropped() - it releases it; one that another thread took is taken off that
 *                        thread's list
 * ftsan_lock_touch() - libc works on @address, which is a lock, a condition or a
 * semaphore; the value before, to be given back
 *
 * Context: normal context of the thread, async-signal-safe all the same; constant time
 * but for what another thread took.
 */
void ftsan_lock_begin(enum ftsan_lock_kind kind, const void *address, uintptr_t pc);
void ftsan_lock_taken(enum ftsan_lock_kind kind, const void *address,
		      const struct ftsan_lock_place *place);
void ftsan_lock_missed(void);
void ftsan_lock_dropped(const void *address);
/* A recursive lock is given up however often it is held, and had again: how often. */
void ftsan_lock_saved(const void *address);
uint32_t ftsan_lock_restored(const void *address);
uintptr_t ftsan_lock_touch(const void *address);
void ftsan_lock_untouch(uintptr_t before);

struct ftsan_thread;
struct ftsan_held *ftsan_held_of(const struct ftsan_thread *thread);

/* The thread ends: it holds nothing. And all others, after a fork. */
void ftsan_held_thread_end(struct ftsan_thread *thread);
void ftsan_held_fork_child(void);

/* "pthread mutex", "threading.Lock", ... */
const char *ftsan_lock_kind_name(enum ftsan_lock_kind kind);

#endif
