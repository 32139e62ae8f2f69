/*
 * System calls without libc: no errno, no cancellation point, no interposition
 * (libc's own wrappers may be hooked by us or by others).
 *
 * Context: any thread, async-signal-safe, all of it.
 * Return:  the kernel's value, or -errno.
 */
#ifndef FTSAN_BASE_SYS_H
#define FTSAN_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stat;

long ftsan_sys_call6(long number, long a, long b, long c, long d, long e, long f);

int ftsan_sys_open(const char *path, int flags, int mode);
int ftsan_sys_close(int fd);
ssize_t ftsan_sys_read(int fd, void *to, size_t size_bytes);
ssize_t ftsan_sys_write(int fd, const void *from, size_t size_bytes);
ssize_t ftsan_sys_pread(int fd, void *to, size_t size_bytes, uint64_t offset);
ssize_t ftsan_sys_pwrite(int fd, const void *from, size_t size_bytes, uint64_t offset);
int ftsan_sys_fstat(int fd, struct stat *out);
int ftsan_sys_fcntl(int fd, int command, long argument);
/* Private anonymous read/write memory; NULL when the kernel refuses. */
void *ftsan_sys_map(size_t size_bytes);
/* The same, but without access: address space only. */
void *ftsan_sys_reserve(size_t size_bytes);
void *ftsan_sys_map_file(int fd, size_t size_bytes);
int ftsan_sys_unmap(void *base, size_t size_bytes);
int ftsan_sys_protect(void *base, size_t size_bytes, int protection);
int ftsan_sys_madvise(void *base, size_t size_bytes, int advice);
int ftsan_sys_getpid(void);
int ftsan_sys_gettid(void);
/* The calling thread, and no thread of a process that was forked from it: pid << 32 |
 * tid. */
static inline uint64_t ftsan_sys_self(void)
{
	return (uint64_t)(uint32_t)ftsan_sys_getpid() << 32 |
	       (uint32_t)ftsan_sys_gettid();
}
int ftsan_sys_tgkill(int pid, int tid, int signal);
int ftsan_sys_sigmask(int how, const uint64_t *set, uint64_t *old);
/* Signals that wait for the thread; takes one of @set that does, without its handler. */
void ftsan_sys_sigpending(uint64_t *set);
void ftsan_sys_sigtake(uint64_t set);
void ftsan_sys_yield(void);
/* Waits while *word == expected, at most until the absolute monotonic time. */
int ftsan_sys_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);
void ftsan_sys_futex_wake(_Atomic uint32_t *word);
/* Waits; less when a signal comes or the kernel refuses. */
void ftsan_sys_sleep(uint64_t ns);
/* CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds (vDSO, no libc state). */
uint64_t ftsan_sys_now_ns(void);
uint64_t ftsan_sys_cpu_ns(void); /* what all threads of the process have used */
uint64_t ftsan_sys_wall_ns(void);

/* The limits of the process's memory (RLIMIT_AS, RLIMIT_DATA), in bytes: the smaller one;
 * UINT64_MAX: there is none. A program that needs what it allows is to get it with us,
 * too. */
uint64_t ftsan_sys_memory_limit(void);

#endif
