#include "process/signal_owner.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "process/signal_actions.h"
#include "process/signal_bits.h"
#include "process/signal_deadly.h"
#include "process/signal_deliver.h"
#include "process/signal_others.h"
#include "runtime/runtime.h"

/* One for each room that sends signals of its own. */
enum { SENDERS_MAX = 4 };
static ftsan_signal_sent _Atomic senders[SENDERS_MAX];

void ftsan_signal_tell_sent(ftsan_signal_sent sent)
{
	for (unsigned i = 0; i < SENDERS_MAX; i++) {
		ftsan_signal_sent none = NULL;

		if (atomic_load(&senders[i]) == sent ||
		    atomic_compare_exchange_strong(&senders[i], &none, sent))
			return;
	}
}

/* A signal that was sent: is it one of our own? */
static bool is_sent_by_us(int sig, const siginfo_t *info, void *uc)
{
	for (unsigned i = 0; i < SENDERS_MAX; i++) {
		ftsan_signal_sent sent = atomic_load(&senders[i]);

		if (sent != NULL && sent(sig, info, uc))
			return true;
	}
	return false;
}

/* A sent signal has no address, and inside ftsan_safe_read() is no fault of that. */
static bool is_ours(int sig, siginfo_t *info, void *uc)
{
	if (info->si_code <= 0)
		return is_sent_by_us(sig, info, uc);
	if (sig == SIGTRAP)
		return ftsan_runtime_trap(info, uc);
	if (sig == SIGSEGV && ftsan_runtime_look_fault(info, uc))
		return true;
	if (ftsan_safe_read_fixup(uc))
		return true;
	/* To leave the unwinder would leave its lock taken: it reads what it can. */
	if (sig == SIGSEGV && ftsan_runtime_walk_fault(info, uc))
		return true;
	return ftsan_stack_fixup(uc) ||
	       (sig == SIGSEGV && ftsan_runtime_fault(info, uc));
}

static void on_signal(int sig, siginfo_t *info, void *uc);

/*
 * context_of() - where the signal happened
 *
 * A watchpoint that is hit while a handler of ours runs leaves a SIGTRAP waiting, because
 * the handler blocks it. When that handler faults next, which ftsan_safe_read() may, the
 * kernel sees that a signal of a fault can be delivered, and takes the first one in its
 * queue, blocked or not (dequeue_synchronous_signal() in kernel/signal.c): the SIGTRAP.
 * The fault's own comes on top, as if the first instruction of the handler had faulted.
 * What did is in the context that this handler is about to be given, and will return to.
 */
static void *context_of(int sig, const siginfo_t *info, void *uc)
{
	if (info->si_code <= 0 || sig == SIGTRAP ||
	    ftsan_context_ip(uc) != (uintptr_t)on_signal)
		return uc;
	return (void *)ftsan_context_third(uc);
}

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	bool handled;
	int error;

	ftsan_tls_mend();
	error = errno;
	uc = context_of(sig, info, uc);
	handled = is_ours(sig, info, uc);
	errno = error;
	if (!handled)
		ftsan_signal_deliver(sig, info, uc);
}

/* Before we came, the program may have blocked the three in a handler's mask. */
static void strip_masks(void)
{
	struct sigaction act;

	for (int sig = 1; sig < NSIG; sig++) {
		if (ftsan_signal_owned(sig) ||
		    FTSAN_REAL(sigaction)(sig, NULL, &act) != 0 ||
		    !(ftsan_sigset_get(&act.sa_mask) & FTSAN_SIG_OWNED))
			continue;
		ftsan_signal_set_other(sig, &act, NULL);
	}
}

int ftsan_signal_take(void)
{
	struct sigaction act = {
		.sa_sigaction = on_signal,
		/* Not blocked while they are handled: ftsan_safe_read() may fault in
		   there. */
		.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART),
	};
	uint64_t bits = FTSAN_SIG_OWNED, mask = 0;
	int error;

	/* Not sigfillset(), which leaves out libc's own signals: a thread that is
	 * cancelled asynchronously would unwind out of a handler of ours. */
	ftsan_sigset_put(&act.sa_mask, ~(FTSAN_SIGBIT(SIGSEGV) | FTSAN_SIGBIT(SIGBUS)));
	error = ftsan_signal_actions_replace(&act);
	if (error != 0)
		return error;
	strip_masks();
	ftsan_sys_sigmask(SIG_UNBLOCK, &bits, &mask);
	(void)ftsan_signal_note_blocked(mask);
	ftsan_deadly_take();
	return 0;
}

void ftsan_signal_give_back(void)
{
	uint64_t bits = ftsan_signal_note_blocked(0);

	ftsan_sys_sigmask(SIG_BLOCK, &bits, NULL);
	ftsan_signal_actions_restore();
	ftsan_deadly_give_back();
	for (int sig = 1; sig < NSIG; sig++)
		if (!ftsan_signal_owned(sig))
			ftsan_signal_restore_other(sig);
}

void ftsan_signal_exec_prepare(uint64_t *before)
{
	uint64_t bits = ftsan_signal_inherited();

	ftsan_sys_sigmask(SIG_BLOCK, &bits, before);
	ftsan_signal_actions_ignore(true);
}

void ftsan_signal_exec_failed(const uint64_t *before)
{
	ftsan_sys_sigmask(SIG_SETMASK, before, NULL);
	ftsan_signal_actions_ignore(false);
}
