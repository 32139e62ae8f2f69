/*
 * The program's actions of the signals that are ours: kept here, and carried out by hand
 * (signal_deliver.h).
 */
#ifndef FTSAN_PRELOAD_SIGNAL_ACTIONS_H
#define FTSAN_PRELOAD_SIGNAL_ACTIONS_H

#include <signal.h>
#include <stdbool.h>

enum { FTSAN_SIG_N_OWNED = 3 };
extern const int ftsan_signal_numbers[FTSAN_SIG_N_OWNED];

/* The program's action of an owned signal. Async-signal-safe; @sig is owned. */
void ftsan_signal_action_get(int sig, struct sigaction *act);
/* The same without the lock, for a vfork child: another thread's lock stays taken. */
void ftsan_signal_action_peek(int sig, struct sigaction *act);
/* Replaces it and tells the former one (@old may be NULL). Async-signal-safe. */
void ftsan_signal_action_set(int sig, const struct sigaction *act, struct sigaction *old);

/* The action, for a signal that is to be handled: SA_RESETHAND lets it act only once.
 * Async-signal-safe. */
void ftsan_signal_action_take(int sig, struct sigaction *act);

/* Puts @ours in the place of the program's actions. Context: activation. Return: 0 or
 * -errno, nothing changed. */
int ftsan_signal_actions_replace(const struct sigaction *ours);
/* The program's own again, unless it has been quicker. */
void ftsan_signal_actions_restore(void);

/* Before an exec, signals that the program ignores are ignored for real, and after one
 * that failed they are ours again. No lock: in a vfork child, a thread of the parent may
 * hold it. */
void ftsan_signal_actions_ignore(bool for_real);

/* In the child of a fork: another thread's lock went with that thread. */
void ftsan_signal_fork_child(void);

#endif
