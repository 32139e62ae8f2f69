#include "threads/thread.h"

#include <fcntl.h>
#include <string.h>

#include "base/base.h"

/* Entries go from NULL to a record once and stay. */
static struct ftsan_thread *_Atomic table[FTSAN_THREADS_MAX];
static _Atomic uint32_t used;  /* entries ever taken */
static _Atomic uint32_t alive; /* records in use */
static _Atomic uint32_t seen;

FTSAN_TLS struct ftsan_thread *ftsan_thread_mine;

static struct ftsan_thread *reuse(int tid)
{
	uint32_t n = atomic_load_explicit(&used, memory_order_acquire);

	for (uint32_t i = 0; i < n; i++) {
		struct ftsan_thread *thread = ftsan_thread_at(i);
		int expected = 0;

		/* Acquire pairs with the release in ftsan_thread_release(). */
		if (thread != NULL &&
		    atomic_compare_exchange_strong(&thread->tid, &expected, tid))
			return thread;
	}
	return NULL;
}

static struct ftsan_thread *create(int tid)
{
	struct ftsan_thread *thread;
	uint32_t index = atomic_load_explicit(&used, memory_order_relaxed);

	do {
		if (index >= FTSAN_THREADS_MAX)
			return NULL;
	} while (!atomic_compare_exchange_weak(&used, &index, index + 1));
	thread = ftsan_sys_map(sizeof(*thread) + 2 * FTSAN_PAGE);
	if (thread == NULL)
		return NULL;
	thread->index = index;
	thread->scratch = (unsigned char *)(((uintptr_t)(thread + 1) + FTSAN_PAGE - 1) &
					    ~(FTSAN_PAGE - 1));
	atomic_store_explicit(&thread->tid, tid, memory_order_relaxed);
	atomic_store_explicit(&table[index], thread, memory_order_release);
	return thread;
}

FTSAN_NOINLINE struct ftsan_thread *ftsan_thread_attach(void)
{
	int tid = ftsan_sys_gettid();
	struct ftsan_thread *thread = reuse(tid);

	if (thread == NULL)
		thread = create(tid);
	if (thread == NULL)
		return NULL;
	thread->name[0] = '\0';
	atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed);
	ftsan_thread_mine = thread;
	return thread;
}

struct ftsan_thread *ftsan_thread_at(uint32_t index)
{
	return index < FTSAN_THREADS_MAX
		       ? atomic_load_explicit(&table[index], memory_order_acquire)
		       : NULL;
}

uint32_t ftsan_threads_used(void)
{
	return atomic_load_explicit(&used, memory_order_acquire);
}

void ftsan_thread_release(void)
{
	struct ftsan_thread *thread = ftsan_thread_mine;

	if (thread == NULL)
		return;
	ftsan_thread_mine = NULL;
	atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
	atomic_store_explicit(&thread->tid, 0, memory_order_release);
}

uint32_t ftsan_threads_alive(void)
{
	return atomic_load_explicit(&alive, memory_order_relaxed);
}

uint32_t ftsan_threads_seen(void)
{
	return atomic_load_explicit(&seen, memory_order_relaxed);
}

bool ftsan_thread_is_copy(const struct ftsan_thread *thread)
{
	return atomic_load_explicit(&thread->tid, memory_order_relaxed) !=
	       ftsan_sys_gettid();
}

/* Two threads may be asked about a third one at once, and another may be reading it. */
static void put_name(struct ftsan_thread *thread, const char *name)
{
	for (unsigned i = 0; i < FTSAN_THREAD_NAME; i++)
		if (__atomic_load_n(&thread->name[i], __ATOMIC_RELAXED) != name[i])
			__atomic_store_n(&thread->name[i], name[i], __ATOMIC_RELAXED);
}

void ftsan_thread_read_name(struct ftsan_thread *thread)
{
	char path[64], name[FTSAN_THREAD_NAME] = {0};
	struct ftsan_buf buf;
	ssize_t length;
	int fd;

	ftsan_buf_init(&buf, path, sizeof(path));
	ftsan_buf_str(&buf, "/proc/self/task/");
	ftsan_buf_i64(&buf, atomic_load_explicit(&thread->tid, memory_order_relaxed));
	ftsan_buf_str(&buf, "/comm");
	fd = ftsan_sys_open(ftsan_buf_cstr(&buf), O_RDONLY | O_CLOEXEC, 0);
	length = fd < 0 ? 0 : ftsan_sys_read(fd, name, sizeof(name));
	if (fd >= 0)
		(void)ftsan_sys_close(fd);
	/* The kernel's line is the name, 15 bytes at most, and a newline. */
	if (length > 0)
		name[length - 1] = '\0';
	put_name(thread, name);
}

void ftsan_thread_tell_name(struct ftsan_thread *thread, char *to, size_t size)
{
	ftsan_thread_read_name(thread);
	ftsan_str_copy(to, size, thread->name, strnlen(thread->name, FTSAN_THREAD_NAME));
}

void ftsan_thread_records_fork_child(void)
{
	uint32_t n = ftsan_threads_used();

	for (uint32_t i = 0; i < n; i++) {
		struct ftsan_thread *thread = ftsan_thread_at(i);

		if (thread != NULL && thread != ftsan_thread_mine)
			atomic_store_explicit(&thread->tid, 0, memory_order_relaxed);
	}
	if (ftsan_thread_mine != NULL)
		atomic_store_explicit(&ftsan_thread_mine->tid, ftsan_sys_gettid(),
				      memory_order_relaxed);
	atomic_store_explicit(&alive, ftsan_thread_mine != NULL, memory_order_relaxed);
	atomic_store_explicit(&seen, ftsan_thread_mine != NULL, memory_order_relaxed);
}
