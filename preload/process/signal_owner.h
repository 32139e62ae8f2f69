/*
 * Who gets SIGSEGV, SIGBUS and SIGTRAP.
 *
 * The kernel delivers the three to ftsan for as long as the process lives. What the
 * program asks of them is kept here and carried out by hand: its actions are stored
 * and reported back (hook_signal.c), its masks never block the three for real
 * (hook_sigmask.c), and a signal that is not ours meets the program's action as if the
 * kernel had brought it.
 */
#ifndef FTSAN_PRELOAD_SIGNAL_OWNER_H
#define FTSAN_PRELOAD_SIGNAL_OWNER_H

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

/* Takes the three signals. Context: activation. Return: 0 or -errno, nothing changed. */
int ftsan_signal_take(void);
/*
 * Gives them back to the program's actions, and the other signals the masks that they
 * had. Context: an activation that failed, or a detach: no thread meets a signal of
 * ours any more.
 */
void ftsan_signal_give_back(void);

/*
 * The calling thread was there before us, or stays when we leave: its mask in the frame
 * of the signal that is being handled, @uc, becomes ours, or the program's.
 */
void ftsan_signal_adopt(void *uc);
void ftsan_signal_release(void *uc);

/* The program's action of an owned signal. Async-signal-safe; @sig is owned. */
void ftsan_signal_action_get(int sig, struct sigaction *act);
/* The same without the lock, for a vfork child: another thread's lock stays taken. */
void ftsan_signal_action_peek(int sig, struct sigaction *act);
/* Replaces it and tells the former one (@old may be NULL). Async-signal-safe. */
void ftsan_signal_action_set(int sig, const struct sigaction *act, struct sigaction *old);

/* sigaction() for a signal that is not owned; its mask is stripped, and remembered. */
int ftsan_signal_set_other(int sig, const struct sigaction *act, struct sigaction *old);
/* Puts what was stripped of @sig's mask back. */
void ftsan_signal_restore_other(int sig);

/*
 * Which of the owned signals the calling thread has blocked as far as the program
 * knows. Setting it delivers what came meanwhile. Async-signal-safe.
 */
uint64_t ftsan_signal_blocked(void);
void ftsan_signal_set_blocked(uint64_t bits);

/*
 * The calling process is not the one that ftsan runs in (a vfork child, a raw clone)
 * and is about to change its mask: from here on its real mask counts, and what it
 * inherited as blocked is blocked for real first.
 */
void ftsan_signal_foreign_mask(void);

/* In the child of a fork: another thread's lock went with that thread. */
void ftsan_signal_fork_child(void);

/**
 * ftsan_signal_exec_prepare() - let the kernel know what a new program inherits
 * @before: where to keep the mask for ftsan_signal_exec_failed()
 *
 * Ignored signals stay ignored and blocked ones blocked across execve.
 * Context: right before it, any process (a vfork child has dispositions of its own).
 */
void ftsan_signal_exec_prepare(uint64_t *before);
void ftsan_signal_exec_failed(const uint64_t *before);

#endif
