/*
 * Per-thread records: what a handler needs and must not allocate.
 *
 * Records are mapped once and never unmapped: another thread may look at one (the owner
 * of a collision window) while its thread ends. An ended thread's record is reused.
 */
#ifndef FTSAN_THREAD_H
#define FTSAN_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "stacks/stacks.h"

enum {
	FTSAN_THREADS_MAX = 4096,
	FTSAN_THREAD_NAME = 16,
};

/*
 * Rooms above keep state of their own in each record: PART(room, bytes). What is in a
 * part only its room knows, which checks where it lays it out that it fits. A part is
 * zeroed when the record is new; when a record is used again it is as its room left it at
 * the former thread's end.
 */
#define FTSAN_THREAD_PARTS(PART)                                                         \
	PART(pages, 24 * 1024)                                                           \
	PART(words, 4 * 1024)                                                            \
	PART(operations, 40 * 1024)                                                      \
	PART(locks, 3 * 1024)                                                            \
	PART(statics, 4 * 1024)                                                          \
	PART(sampler, 128)

/* The part, for its room to cast. */
#define FTSAN_THREAD_PART(thread, room) ((void *)(uintptr_t)(thread)->part_##room)

/**
 * struct ftsan_thread - one thread's record
 * @tid:     kernel thread id, 0: the record is free
 * @index:   of the record, constant
 * @name:    the kernel's, as it was last read
 * @stack:   of the access or call that is being handled
 * @scratch: a page, for redirected stores
 */
struct ftsan_thread {
	_Atomic int tid;
	uint32_t index;
	char name[FTSAN_THREAD_NAME];
	unsigned char *scratch;
#define FTSAN_THREAD_MEMBER(room, bytes)                                                 \
	unsigned char part_##room[bytes] __attribute__((aligned(64)));
	FTSAN_THREAD_PARTS(FTSAN_THREAD_MEMBER)
#undef FTSAN_THREAD_MEMBER
	struct ftsan_stack stack;
};

/* The calling thread's record, once it has one; ftsan_thread_self() makes it. */
extern FTSAN_TLS struct ftsan_thread *ftsan_thread_mine;
struct ftsan_thread *ftsan_thread_attach(void);

/**
 * ftsan_thread_self() - the calling thread's record
 *
 * Inline, because every hook asks, some of them several times.
 *
 * Context: any thread, async-signal-safe; maps a record at the first call.
 * Return:  NULL when there are more than FTSAN_THREADS_MAX threads, or no memory.
 */
static inline struct ftsan_thread *ftsan_thread_self(void)
{
	struct ftsan_thread *mine = ftsan_thread_mine;

	return FTSAN_LIKELY(mine != NULL) ? mine : ftsan_thread_attach();
}

/* Other threads' records, for looking at; NULL when the index was never used. */
struct ftsan_thread *ftsan_thread_at(uint32_t index);

/* Records that were ever used: look at each below that; some may be NULL. */
uint32_t ftsan_threads_used(void);

/* The thread ends: gives the record back. The rooms have ended their parts by now. */
void ftsan_thread_release(void);

/* Threads with a record now; an upper bound for threads that touched anything. */
uint32_t ftsan_threads_alive(void);
uint32_t ftsan_threads_seen(void);

/*
 * Is @thread, the caller's, a copy that no handler was told of: the process was split by
 * a raw clone, or is a vfork child? Then no other thread that the records name exists
 * here. Async-signal-safe.
 */
bool ftsan_thread_is_copy(const struct ftsan_thread *thread);

/* Reads the kernel's name of the thread into the record. Async-signal-safe. */
void ftsan_thread_read_name(struct ftsan_thread *thread);
/* The same, and a copy of it. */
void ftsan_thread_tell_name(struct ftsan_thread *thread, char *to, size_t size);

/* fork child: forgets every other thread, renews the own tid. The rooms have put their
 * parts in order by now. */
void ftsan_thread_records_fork_child(void);

#endif
