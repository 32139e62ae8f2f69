#include "process/signal_deadly.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "process/signal_bits.h"
#include "process/signal_end.h"

/* The kernel's flag behind sa_restorer; glibc sets it and reports it back. */
#define RESTORER 0x04000000

static const int deadly[] = {SIGABRT, SIGFPE, SIGILL};
enum { N_DEADLY = FTSAN_ARRAY_LEN(deadly) };

/*
 * The program's actions where ours are in place. Read by the handler without a lock: a
 * handler is one word, and the flags only say whether it is to be gone.
 */
static struct {
	struct sigaction act;
	_Atomic uintptr_t handler;
} program[N_DEADLY];
static bool taken;

static unsigned index_of(int sig)
{
	return sig == SIGABRT ? 0 : sig == SIGFPE ? 1 : 2;
}

static void on_deadly(int sig, siginfo_t *info, void *uc)
{
	uintptr_t handler = atomic_load(&program[index_of(sig)].handler);
	int error;

	ftsan_tls_mend();
	error = errno;
	if (handler == (uintptr_t)SIG_DFL) {
		ftsan_signal_dying(sig, info, uc);
		ftsan_signal_die(sig, info, uc);
		errno = error;
		return;
	}
	ftsan_signal_suspect(sig, info, uc, &program[index_of(sig)].act);
	errno = error;
	((void (*)(int, siginfo_t *, void *))handler)(sig, info, uc);
	ftsan_signal_survived();
}

static bool is_ours(const struct sigaction *act)
{
	return act->sa_sigaction == on_deadly;
}

/* What the kernel gets for what the program wants. */
static struct sigaction in_front_of(const struct sigaction *act)
{
	struct sigaction ours = *act;

	if (act->sa_handler == SIG_IGN)
		return ours;
	ours.sa_sigaction = on_deadly;
	ours.sa_flags |= SA_SIGINFO;
	if (act->sa_handler != SIG_DFL)
		return ours;
	/* The stack may be used up, and the report may take a fault of its own. */
	ours.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_NODEFER);
	ftsan_sigset_put(&ours.sa_mask, ~(FTSAN_SIGBIT(SIGSEGV) | FTSAN_SIGBIT(SIGBUS)));
	return ours;
}

static void remember(int sig, const struct sigaction *act)
{
	program[index_of(sig)].act = *act;
	atomic_store(&program[index_of(sig)].handler, (uintptr_t)act->sa_handler);
}

/* What the kernel and libc add to an action is there when it is asked for. */
static void complete(int sig)
{
	struct sigaction *act = &program[index_of(sig)].act, now;
	uint64_t mask = ftsan_sigset_get(&act->sa_mask);

	ftsan_sigset_put(&act->sa_mask,
			 mask & ~(FTSAN_SIGBIT(SIGKILL) | FTSAN_SIGBIT(SIGSTOP)));
	if (FTSAN_REAL(sigaction)(sig, NULL, &now) != 0)
		return;
	act->sa_flags = (act->sa_flags & ~RESTORER) | (now.sa_flags & RESTORER);
	act->sa_restorer = now.sa_restorer;
}

/* With SA_RESETHAND, the handler that was called is the default by now. */
static void answer(int sig, struct sigaction *now)
{
	if (is_ours(now))
		*now = program[index_of(sig)].act;
}

int ftsan_deadly_action(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction ours, before;

	if (!taken)
		return FTSAN_REAL(sigaction)(sig, act, old);
	if (FTSAN_REAL(sigaction)(sig, NULL, &before) != 0)
		return -1;
	answer(sig, &before);
	if (act) {
		struct sigaction wanted = *act;

		ours = in_front_of(&wanted);
		/* A handler that is called meanwhile is one of the two. */
		remember(sig, &wanted);
		if (FTSAN_REAL(sigaction)(sig, &ours, NULL) != 0) {
			remember(sig, &before);
			return -1;
		}
		complete(sig);
	}
	if (old)
		*old = before;
	return 0;
}

void ftsan_deadly_take(void)
{
	struct sigaction now;

	for (unsigned i = 0; i < N_DEADLY; i++) {
		struct sigaction ours;

		if (FTSAN_REAL(sigaction)(deadly[i], NULL, &now) != 0 || is_ours(&now))
			continue;
		remember(deadly[i], &now);
		ours = in_front_of(&now);
		(void)FTSAN_REAL(sigaction)(deadly[i], &ours, NULL);
	}
	taken = true;
}

void ftsan_deadly_give_back(void)
{
	struct sigaction now;

	for (unsigned i = 0; taken && i < N_DEADLY; i++)
		if (FTSAN_REAL(sigaction)(deadly[i], NULL, &now) == 0 && is_ours(&now))
			(void)FTSAN_REAL(sigaction)(deadly[i], &program[i].act, NULL);
	taken = false;
}
