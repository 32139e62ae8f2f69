/*
 * What only glibc has. Weak, so that a program of another C library's (musl's) starts with
 * us preloaded all the same: its loader would refuse a name that it has not. Such a program
 * is not watched, and ftsan_is_glibc() is asked before any of these is called.
 */
#ifndef FTSAN_PRELOAD_GLIBC_H
#define FTSAN_PRELOAD_GLIBC_H

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdbool.h>
#include <stdlib.h>

extern __typeof(dladdr1) dladdr1 __attribute__((weak));
extern __typeof(dlvsym) dlvsym __attribute__((weak));
extern __typeof(gnu_get_libc_version) gnu_get_libc_version __attribute__((weak));
extern __typeof(on_exit) on_exit __attribute__((weak));

/* Where the main thread's stack begins; the loader's (glibc 2.36: elf/dl-support.c). */
extern void *__libc_stack_end __attribute__((weak));

/* What pthread_atfork() of libc_nonshared.a calls, which would be linked to us strongly
 * (glibc 2.36: nptl/pthread_atfork.c). */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void),
			     void (*child)(void), void *dso) __attribute__((weak));

/* Context: any; async-signal-safe. */
static inline bool ftsan_is_glibc(void)
{
	return gnu_get_libc_version != NULL;
}

#endif
