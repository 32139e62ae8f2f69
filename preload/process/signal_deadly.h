/*
 * SIGABRT, SIGFPE and SIGILL: our handler is in place where the program has none, so that
 * its death is told, and in front of its own, which the kernel calls through us as the
 * program wanted it: same flags, same mask. What the program asks is answered as if we
 * were not there.
 */
#ifndef FTSAN_PRELOAD_SIGNAL_DEADLY_H
#define FTSAN_PRELOAD_SIGNAL_DEADLY_H

#include <signal.h>
#include <stdbool.h>

static inline bool ftsan_deadly(int sig)
{
	return sig == SIGABRT || sig == SIGFPE || sig == SIGILL;
}

/* Takes the three; gives them back. Context: activation; a detach. */
void ftsan_deadly_take(void);
void ftsan_deadly_give_back(void);

/*
 * sigaction() of one of the three. Async-signal-safe. Return: the real call's, errno set.
 */
int ftsan_deadly_action(int sig, const struct sigaction *act, struct sigaction *old);

#endif
