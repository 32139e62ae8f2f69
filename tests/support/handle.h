/* Signal handlers of a program that has the detector's engines for itself. */
#ifndef FTSAN_TEST_HANDLE_H
#define FTSAN_TEST_HANDLE_H

#include <signal.h>

#include "base/base.h"
#include "support/expect.h"

/* For SIGSEGV: a read that was meant to be safe, or a failed test. */
static inline void on_fault(int signal, siginfo_t *info, void *uc)
{
	(void)signal;
	(void)info;
	EXPECT(ftsan_safe_read_fixup(uc));
}

/* Nothing but SIGSEGV interrupts @handler, as in libftsan.so. */
static inline void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, SIGSEGV);
	EXPECT(sigaction(signal, &action, NULL) == 0);
}

#endif
