/* Signal actions: the owned signals' are kept by us, the others' never block those. */
#include <errno.h>
#include <stdatomic.h>

#include "hooks/hooks.h"
#include "process/signal_actions.h"
#include "process/signal_bits.h"
#include "process/signal_deadly.h"
#include "process/signal_others.h"

/* Bits of siginterrupt(), which decide over SA_RESTART in signal(). */
static _Atomic uint64_t interrupting;

static int set_owned(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction before;

	if (act)
		ftsan_signal_action_set(sig, act, &before);
	else
		ftsan_signal_action_get(sig, &before);
	if (old)
		*old = before;
	return 0;
}

/* A vfork child has dispositions of its own, but shares our record of its parent's. */
static int set_foreign(int sig, const struct sigaction *act, struct sigaction *old)
{
	int result;

	if (!old || !ftsan_signal_owned(sig))
		return FTSAN_REAL(sigaction)(sig, act, old);
	result = act ? FTSAN_REAL(sigaction)(sig, act, NULL) : 0;
	if (result == 0)
		ftsan_signal_action_peek(sig, old);
	return result;
}

int ftsan_hook_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	if (!ftsan_preload_active())
		return FTSAN_REAL(sigaction)(sig, act, old);
	if (!ftsan_preload_own())
		return set_foreign(sig, act, old);
	if (ftsan_signal_owned(sig))
		return set_owned(sig, act, old);
	return ftsan_signal_set_other(sig, act, old);
}

static ftsan_handler set_handler(int sig, ftsan_handler handler, int flags, uint64_t mask)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = flags}, old;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	ftsan_sigset_put(&act.sa_mask, mask);
	return ftsan_hook_sigaction(sig, &act, &old) == 0 ? old.sa_handler : SIG_ERR;
}

/* Of the others libc takes care; their handlers' masks hold nothing of ours then. */
static bool kept_here(int sig)
{
	if (ftsan_preload_active() && (ftsan_signal_owned(sig) || ftsan_deadly(sig)))
		return true;
	if (ftsan_preload_own())
		ftsan_signal_forget_other(sig);
	return false;
}

static ftsan_handler bsd_semantics(int sig, ftsan_handler handler)
{
	uint64_t bit = FTSAN_SIGBIT(sig);

	return set_handler(sig, handler,
			   atomic_load(&interrupting) & bit ? 0 : SA_RESTART, bit);
}

static ftsan_handler sysv_semantics(int sig, ftsan_handler handler)
{
	return set_handler(sig, handler, (int)SA_RESETHAND | SA_NODEFER, 0);
}

ftsan_handler ftsan_hook_signal(int sig, ftsan_handler handler)
{
	return kept_here(sig) ? bsd_semantics(sig, handler)
			      : FTSAN_REAL(signal)(sig, handler);
}

ftsan_handler ftsan_hook_bsd_signal(int sig, ftsan_handler handler)
{
	return kept_here(sig) ? bsd_semantics(sig, handler)
			      : FTSAN_REAL(bsd_signal)(sig, handler);
}

ftsan_handler ftsan_hook_ssignal(int sig, ftsan_handler handler)
{
	return kept_here(sig) ? bsd_semantics(sig, handler)
			      : FTSAN_REAL(ssignal)(sig, handler);
}

ftsan_handler ftsan_hook_sysv_signal(int sig, ftsan_handler handler)
{
	return kept_here(sig) ? sysv_semantics(sig, handler)
			      : FTSAN_REAL(sysv_signal)(sig, handler);
}

ftsan_handler ftsan_hook___sysv_signal(int sig, ftsan_handler handler)
{
	return kept_here(sig) ? sysv_semantics(sig, handler)
			      : FTSAN_REAL(__sysv_signal)(sig, handler);
}

int ftsan_hook_siginterrupt(int sig, int interrupt)
{
	struct sigaction act;

	if (!ftsan_preload_active() || !ftsan_signal_owned(sig) || !ftsan_preload_own())
		return FTSAN_REAL(siginterrupt)(sig, interrupt);
	ftsan_signal_action_get(sig, &act);
	if (interrupt) {
		act.sa_flags &= ~SA_RESTART;
		atomic_fetch_or(&interrupting, FTSAN_SIGBIT(sig));
	} else {
		act.sa_flags |= SA_RESTART;
		atomic_fetch_and(&interrupting, ~FTSAN_SIGBIT(sig));
	}
	ftsan_signal_action_set(sig, &act, NULL);
	return 0;
}
