#include "elf/unwind_calls.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "elf/got.h"
#include "stacks/stacks.h"

/* No process can have these: the kernel's own bound (fs.nr_open) is far below. */
enum { READ_END = INT_MAX - 1, WRITE_END = INT_MAX };

static int make_pipe(int ends[2])
{
	ends[0] = READ_END;
	ends[1] = WRITE_END;
	return 0;
}

static int make_pipe2(int ends[2], int flags)
{
	(void)flags;
	return make_pipe(ends);
}

/*
 * libunwind repeats both calls for as long as errno says EINTR, success or not, so each
 * has to set it.
 */
static ssize_t read_byte(int fd, void *to, size_t size)
{
	if (fd != READ_END)
		return read(fd, to, size);
	errno = EAGAIN;
	return -1;
}

static ssize_t write_byte(int fd, const void *from, size_t size)
{
	char byte;

	if (fd != WRITE_END)
		return write(fd, from, size);
	errno = ftsan_safe_read(&byte, from, 1) == 0 ? 0 : EFAULT;
	return errno ? -1 : 1;
}

/* libunwind 1.6 writes by syscall(SYS_write, ...), to keep sanitizers out of it. */
static long system_call(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_write && (int)a == WRITE_END)
		return write_byte((int)a, (const void *)b, (size_t)c);
	return syscall(number, a, b, c, d, e, f);
}

static int close_end(int fd)
{
	return fd == READ_END || fd == WRITE_END ? 0 : close(fd);
}

/* What it saves and gives back here is as good as any: neither is looked at. */
static int mask_signals(int how, const sigset_t *set, sigset_t *old)
{
	if (!ftsan_stack_walking())
		return sigprocmask(how, set, old);
	if (old != NULL)
		sigemptyset(old);
	return 0;
}

/*
 * libunwind's lock that the thread's walk holds: its cache's, under which it reads what may
 * fault. That of a pool, which it takes besides for a moment, guards its own memory only
 * (1.6, src/dwarf/Gparser.c, src/mi/mempool.c).
 */
static FTSAN_TLS pthread_mutex_t *volatile held;

/*
 * A walk in a handler may have interrupted its thread where that holds the loader's lock,
 * while another walk, which has this lock, waits for the loader's (dl_iterate_phdr()).
 * Then this one ends with the frames that it has: less than what is waited for a thread
 * that says where it is when the process dies, more than any walk takes.
 */
enum { WAIT_NS = 300000000, SECOND_NS = 1000000000 };

static int lock_in_time(pthread_mutex_t *lock)
{
	struct timespec until;
	int error = pthread_mutex_trylock(lock);

	if (error != EBUSY)
		return error;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (until.tv_nsec + WAIT_NS) / SECOND_NS;
	until.tv_nsec = (until.tv_nsec + WAIT_NS) % SECOND_NS;
	return pthread_mutex_timedlock(lock, &until);
}

static int take_lock(pthread_mutex_t *lock)
{
	int error;

	if (!ftsan_stack_walking())
		return pthread_mutex_lock(lock);
	error = lock_in_time(lock);
	if (error == ETIMEDOUT)
		ftsan_stack_give_up();
	if (error == 0 && held == NULL)
		held = lock;
	return error;
}

static int drop_lock(pthread_mutex_t *lock)
{
	if (held == lock)
		held = NULL;
	return pthread_mutex_unlock(lock);
}

/* A fault has ended a walk: whoever walks next must not wait for it forever. */
static void release(void)
{
	pthread_mutex_t *lock = held;

	held = NULL;
	if (lock != NULL)
		(void)pthread_mutex_unlock(lock);
}

void ftsan_unwind_calls_replace(const void *inside, const struct ftsan_unwind_libc *libc)
{
	const struct ftsan_got_hook hooks[] = {
		{"pipe", (uintptr_t)pipe, (uintptr_t)make_pipe, 0},
		{"pipe2", (uintptr_t)pipe2, (uintptr_t)make_pipe2, 0},
		{"read", (uintptr_t)read, (uintptr_t)read_byte, 0},
		{"write", (uintptr_t)write, (uintptr_t)write_byte, 0},
		{"syscall", (uintptr_t)syscall, (uintptr_t)system_call, 0},
		{"close", (uintptr_t)close, (uintptr_t)close_end, 0},
		{"sigprocmask", (uintptr_t)sigprocmask, (uintptr_t)mask_signals, 0},
		/* The wrappers of locks have no business in there, either. */
		{"pthread_mutex_lock", (uintptr_t)pthread_mutex_lock, (uintptr_t)take_lock, 0},
		{"pthread_mutex_unlock", (uintptr_t)pthread_mutex_unlock, (uintptr_t)drop_lock,
		 0},
		/* Ours are not the ones that are found when we are loaded late. */
		{"sigprocmask", (uintptr_t)libc->sigprocmask, (uintptr_t)mask_signals, 0},
		{"write", (uintptr_t)libc->write, (uintptr_t)write_byte, 0},
	};

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(hooks); i++)
		ftsan_got_redirect(inside, &hooks[i]);
	ftsan_stack_on_escape(release);
}
