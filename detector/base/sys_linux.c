#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* FUTEX_WAIT_BITSET takes an absolute time; plain FUTEX_WAIT a relative one. */
#define WAIT_OP (FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG)
#define WAKE_OP (FUTEX_WAKE | FUTEX_PRIVATE_FLAG)

static long call3(long number, long a, long b, long c)
{
	return ftsan_sys_call6(number, a, b, c, 0, 0, 0);
}

int ftsan_sys_open(const char *path, int flags, int mode)
{
	return (int)ftsan_sys_call6(SYS_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}

int ftsan_sys_close(int fd)
{
	return (int)call3(SYS_close, fd, 0, 0);
}

ssize_t ftsan_sys_read(int fd, void *to, size_t size_bytes)
{
	return call3(SYS_read, fd, (long)to, (long)size_bytes);
}

ssize_t ftsan_sys_write(int fd, const void *from, size_t size_bytes)
{
	return call3(SYS_write, fd, (long)from, (long)size_bytes);
}

ssize_t ftsan_sys_pread(int fd, void *to, size_t size_bytes, uint64_t offset)
{
	return ftsan_sys_call6(SYS_pread64, fd, (long)to, (long)size_bytes, (long)offset,
			       0, 0);
}

ssize_t ftsan_sys_pwrite(int fd, const void *from, size_t size_bytes, uint64_t offset)
{
	return ftsan_sys_call6(SYS_pwrite64, fd, (long)from, (long)size_bytes,
			       (long)offset, 0, 0);
}

int ftsan_sys_fstat(int fd, struct stat *out)
{
	/* On 64-bit machines the kernel's struct stat is libc's. */
	return (int)call3(SYS_fstat, fd, (long)out, 0);
}

int ftsan_sys_fcntl(int fd, int command, long argument)
{
	return (int)call3(SYS_fcntl, fd, command, argument);
}

static void *map(size_t size_bytes, int protection, int flags, int fd)
{
	long base =
		ftsan_sys_call6(SYS_mmap, 0, (long)size_bytes, protection, flags, fd, 0);

	return base < 0 && base > -4096 ? NULL : (void *)base;
}

void *ftsan_sys_map(size_t size_bytes)
{
	return map(size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

void *ftsan_sys_reserve(size_t size_bytes)
{
	return map(size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1);
}

void *ftsan_sys_map_file(int fd, size_t size_bytes)
{
	return map(size_bytes, PROT_READ, MAP_PRIVATE, fd);
}

int ftsan_sys_unmap(void *base, size_t size_bytes)
{
	return (int)call3(SYS_munmap, (long)base, (long)size_bytes, 0);
}

int ftsan_sys_protect(void *base, size_t size_bytes, int protection)
{
	return (int)call3(SYS_mprotect, (long)base, (long)size_bytes, protection);
}

int ftsan_sys_madvise(void *base, size_t size_bytes, int advice)
{
	return (int)call3(SYS_madvise, (long)base, (long)size_bytes, advice);
}

int ftsan_sys_getpid(void)
{
	return (int)call3(SYS_getpid, 0, 0, 0);
}

int ftsan_sys_gettid(void)
{
	return (int)call3(SYS_gettid, 0, 0, 0);
}

int ftsan_sys_tgkill(int pid, int tid, int signal)
{
	return (int)call3(SYS_tgkill, pid, tid, signal);
}

int ftsan_sys_sigmask(int how, const uint64_t *set, uint64_t *old)
{
	return (int)ftsan_sys_call6(SYS_rt_sigprocmask, how, (long)set, (long)old, 8, 0,
				    0);
}

void ftsan_sys_sigpending(uint64_t *set)
{
	(void)call3(SYS_rt_sigpending, (long)set, 8, 0);
}

void ftsan_sys_sigtake(uint64_t set)
{
	const struct timespec now = {0};

	(void)ftsan_sys_call6(SYS_rt_sigtimedwait, (long)&set, 0, (long)&now, 8, 0, 0);
}

void ftsan_sys_yield(void)
{
	(void)call3(SYS_sched_yield, 0, 0, 0);
}

int ftsan_sys_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
	struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
				 .tv_nsec = (long)(deadline_ns % 1000000000u)};

	return (int)ftsan_sys_call6(SYS_futex, (long)word, WAIT_OP, expected,
				    (long)&until, 0, FUTEX_BITSET_MATCH_ANY);
}

void ftsan_sys_futex_wake(_Atomic uint32_t *word)
{
	(void)ftsan_sys_call6(SYS_futex, (long)word, WAKE_OP, 0x7fffffff, 0, 0, 0);
}

void ftsan_sys_sleep(uint64_t ns)
{
	_Atomic uint32_t never = 0;

	(void)ftsan_sys_futex_wait(&never, 0, ftsan_sys_now_ns() + ns);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	/* glibc's clock_gettime is async-signal-safe (POSIX) and stays in the vDSO. */
	if (clock_gettime(clock, &now) != 0)
		return 0;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t ftsan_sys_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t ftsan_sys_cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t ftsan_sys_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

static uint64_t limit_of(int which)
{
	struct rlimit limit;

	if (ftsan_sys_call6(SYS_prlimit64, 0, which, 0, (long)&limit, 0, 0) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

uint64_t ftsan_sys_memory_limit(void)
{
	uint64_t space = limit_of(RLIMIT_AS), data = limit_of(RLIMIT_DATA);

	return space < data ? space : data;
}
