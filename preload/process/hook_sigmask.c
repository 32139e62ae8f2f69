/*
 * Signal masks: a blocked SIGSEGV at a fault kills, so the owned ones never are.
 *
 * Known limits. The masks that sigsuspend, ppoll, pselect and epoll_pwait put in place
 * for a moment go to the kernel as they are, so a handler that runs in there must not
 * meet a guarded page. A handler of another signal that changes the mask and leaves it
 * to its return to undo that leaves our record of the owned signals changed. What is
 * started by posix_spawn inherits none of the owned signals as blocked or ignored.
 */
#include <errno.h>

#include "hooks/hooks.h"
#include "process/signal_bits.h"
#include "process/signal_deliver.h"
#include "statics/statics.h"

static uint64_t after(int how, uint64_t blocked, uint64_t set)
{
	if (how == SIG_BLOCK)
		return blocked | set;
	return how == SIG_UNBLOCK ? blocked & ~set : set;
}

/* What the program may have put into @set stays its business: it is copied first. */
static int change_mask(int how, const sigset_t *set, sigset_t *old)
{
	uint64_t blocked = ftsan_signal_blocked(), wanted = 0;
	sigset_t stripped, before, *to = old;
	int error;

	/* The kernel can't write to a sealed page: we do, and trap like others. */
	if (old && ftsan_statics_near((uintptr_t)old))
		to = &before;

	if (set) {
		stripped = *set;
		wanted = ftsan_sigset_get(set);
		ftsan_sigset_put(&stripped, wanted & ~FTSAN_SIG_OWNED);
	}
	error = FTSAN_REAL(pthread_sigmask)(how, set ? &stripped : NULL, to);
	if (error != 0)
		return error;
	if (old)
		ftsan_sigset_put(old, ftsan_sigset_get(to) | blocked);
	if (set)
		ftsan_signal_set_blocked(after(how, blocked, wanted) & FTSAN_SIG_OWNED);
	return 0;
}

static int change_foreign_mask(int how, const sigset_t *set, sigset_t *old)
{
	ftsan_signal_foreign_mask();
	return FTSAN_REAL(pthread_sigmask)(how, set, old);
}

int ftsan_hook_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	if (!ftsan_preload_active())
		return FTSAN_REAL(pthread_sigmask)(how, set, old);
	return ftsan_preload_own() ? change_mask(how, set, old)
				   : change_foreign_mask(how, set, old);
}

int ftsan_hook_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	int error;

	if (!ftsan_preload_active())
		return FTSAN_REAL(sigprocmask)(how, set, old);
	error = ftsan_hook_pthread_sigmask(how, set, old);
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}
