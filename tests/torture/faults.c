/*
 * Part of libftsan_faults.so: libftsan.so whose own calls of the kernel can be made to
 * fail, and nobody else's. The linker leads the callers here (--wrap).
 *
 *   FTSAN_FAULT=CALL:FIRST:COUNT:ERRNO  that many calls fail from the FIRST one on; CALL
 *                                       is a name in the table below, ERRNO a number
 *   FTSAN_FAULT_COUNTS=FILE             of 16 bytes: how many calls there were, and how
 *                                       many were made to fail, of all processes
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "hooks/hooks.h"

struct counts {
	_Atomic uint64_t calls;
	_Atomic uint64_t failed;
};

static struct counts unshared;
static struct counts *counts;
static char name[32];
static uint64_t first, count;
static int error;

/* The first call comes from the constructor: there is one thread, and no handler. */
static void read_settings(void)
{
	const char *text = getenv("FTSAN_FAULT"), *path = getenv("FTSAN_FAULT_COUNTS");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	char *end;

	counts = &unshared;
	if (fd >= 0) {
		void *shared = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
				    MAP_SHARED, fd, 0);

		if (shared != MAP_FAILED)
			counts = shared;
		close(fd);
	}
	if (text == NULL || strcspn(text, ":") >= sizeof(name))
		return;
	memcpy(name, text, strcspn(text, ":"));
	first = strtoull(text + strcspn(text, ":") + 1, &end, 10);
	count = strtoull(end + 1, &end, 10);
	error = atoi(end + 1);
}

/* fails() - is this the call that fails? Async-signal-safe after the first call. */
static bool fails(const char *call)
{
	uint64_t number;

	if (counts == NULL)
		read_settings();
	if (strcmp(call, name) != 0)
		return false;
	number = atomic_fetch_add(&counts->calls, 1) + 1;
	if (number < first || number - first >= count)
		return false;
	atomic_fetch_add(&counts->failed, 1);
	return true;
}

#define WRAP(ret, call, params, args, failure)                                           \
	ret __real_ftsan_sys_##call params;                                              \
	ret __wrap_ftsan_sys_##call params;                                              \
	ret __wrap_ftsan_sys_##call params                                               \
	{                                                                                \
		return fails(#call) ? (failure) : __real_ftsan_sys_##call args;          \
	}

WRAP(int, open, (const char *path, int flags, int mode), (path, flags, mode), -error)
WRAP(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size), -error)
/* What goes to the terminal is not what is lost with a full disk. */
static bool is_stderr(int fd)
{
	struct stat there, here;

	return fstat(fd, &there) == 0 && fstat(2, &here) == 0 &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

WRAP(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size),
     is_stderr(fd) ? __real_ftsan_sys_write(fd, from, size) : -error)
WRAP(ssize_t, pread, (int fd, void *to, size_t size, uint64_t offset),
     (fd, to, size, offset), -error)
WRAP(ssize_t, pwrite, (int fd, const void *from, size_t size, uint64_t offset),
     (fd, from, size, offset), -error)
WRAP(int, fstat, (int fd, struct stat *out), (fd, out), -error)
WRAP(int, fcntl, (int fd, int command, long argument), (fd, command, argument), -error)
WRAP(void *, map, (size_t size), (size), NULL)
WRAP(void *, reserve, (size_t size), (size), NULL)
WRAP(void *, map_file, (int fd, size_t size), (fd, size), NULL)
WRAP(int, protect, (void *base, size_t size, int protection), (base, size, protection),
     -error)
WRAP(int, madvise, (void *base, size_t size, int advice), (base, size, advice), -error)
WRAP(int, futex_wait, (_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns),
     (word, expected, deadline_ns), -error)
WRAP(int, sigmask, (int how, const uint64_t *set, uint64_t *old), (how, set, old), -error)

static const char *name_of(long number)
{
	switch (number) {
	case SYS_perf_event_open:
		return "perf_event_open";
	case SYS_ioctl:
		return "ioctl";
	case SYS_getcwd:
		return "getcwd";
	case SYS_readlink:
	case SYS_readlinkat:
		return "readlink";
	case SYS_prlimit64:
		return "prlimit";
	default:
		return "";
	}
}

long __real_ftsan_sys_call6(long number, long a, long b, long c, long d, long e, long f);
long __wrap_ftsan_sys_call6(long number, long a, long b, long c, long d, long e, long f);
long __wrap_ftsan_sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
	return fails(name_of(number)) ? -error
				      : __real_ftsan_sys_call6(number, a, b, c, d, e, f);
}

/* --- what it calls through libc ----------------------------------------------- */

static struct ftsan_real libc;

static int create(pthread_t *thread, const pthread_attr_t *attr, void *(*routine)(void *),
		  void *argument)
{
	int detached = PTHREAD_CREATE_JOINABLE;

	/* The program makes its threads with attributes of another kind, or none. */
	if (attr != NULL)
		pthread_attr_getdetachstate(attr, &detached);
	if (detached == PTHREAD_CREATE_DETACHED && fails("scout"))
		return error;
	return libc.pthread_create(thread, attr, routine, argument);
}

static int altstack(const stack_t *stack, stack_t *old)
{
	if (fails("sigaltstack")) {
		errno = error;
		return -1;
	}
	return libc.sigaltstack(stack, old);
}

void __real_ftsan_real_resolve_libc(void);
void __wrap_ftsan_real_resolve_libc(void);
void __wrap_ftsan_real_resolve_libc(void)
{
	__real_ftsan_real_resolve_libc();
	libc = ftsan_real;
	ftsan_real.pthread_create = create;
	ftsan_real.sigaltstack = altstack;
}
