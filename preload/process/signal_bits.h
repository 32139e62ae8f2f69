/* Sets of signals, and which signals are ours: SIGSEGV, SIGBUS and SIGTRAP. */
#ifndef FTSAN_PRELOAD_SIGNAL_BITS_H
#define FTSAN_PRELOAD_SIGNAL_BITS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define FTSAN_SIGBIT(sig) (UINT64_C(1) << ((sig)-1))
#define FTSAN_SIG_OWNED                                                                  \
	(FTSAN_SIGBIT(SIGSEGV) | FTSAN_SIGBIT(SIGBUS) | FTSAN_SIGBIT(SIGTRAP))

static inline bool ftsan_signal_owned(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGTRAP;
}

/* The kernel's 64 bits of a libc signal set, which is wider. */
static inline uint64_t ftsan_sigset_get(const sigset_t *set)
{
	return *(const uint64_t *)(const void *)set;
}

static inline void ftsan_sigset_put(sigset_t *set, uint64_t bits)
{
	*(uint64_t *)(void *)set = bits;
}

#endif
