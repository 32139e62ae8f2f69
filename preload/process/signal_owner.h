/*
 * Who gets SIGSEGV, SIGBUS and SIGTRAP.
 *
 * The kernel delivers the three to ftsan for as long as the process lives. What the
 * program asks of them is kept here and carried out by hand: its actions are stored
 * and reported back (signal_actions.h, hook_signal.c), its masks never block the three
 * for real (hook_sigmask.c), and a signal that is not ours meets the program's action as
 * if the kernel had brought it.
 */
#ifndef FTSAN_PRELOAD_SIGNAL_OWNER_H
#define FTSAN_PRELOAD_SIGNAL_OWNER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Takes the three signals. Context: activation. Return: 0 or -errno, nothing changed. */
int ftsan_signal_take(void);
/*
 * Gives them back to the program's actions, and the other signals the masks that they
 * had. Context: an activation that failed, or a detach: no thread meets a signal of
 * ours any more.
 */
void ftsan_signal_give_back(void);

/* A signal that a thread was sent: is it one of our own? In a signal handler. */
typedef bool (*ftsan_signal_sent)(int sig, const siginfo_t *info, void *uc);

/* One more who is asked that, for good; twice is once. Context: start, an attach. */
void ftsan_signal_tell_sent(ftsan_signal_sent sent);

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
