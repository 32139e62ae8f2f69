#include "process/signal_end.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "process/signal_bits.h"

static const struct ftsan_signal_end *_Atomic told;

void ftsan_signal_tell_end(const struct ftsan_signal_end *end)
{
	atomic_store(&told, end);
}

void ftsan_signal_dying(int sig, const siginfo_t *info, const void *uc)
{
	const struct ftsan_signal_end *end = atomic_load(&told);

	if (end != NULL)
		end->dying(sig, info, uc);
}

void ftsan_signal_suspect(int sig, const siginfo_t *info, const void *uc,
			  const struct sigaction *act)
{
	const struct ftsan_signal_end *end = atomic_load(&told);

	if (end != NULL)
		end->suspect(sig, info, uc, act);
}

void ftsan_signal_survived(void)
{
	const struct ftsan_signal_end *end = atomic_load(&told);

	if (end != NULL)
		end->survived();
}

void ftsan_signal_leaving(void)
{
	const struct ftsan_signal_end *end = atomic_load(&told);

	if (end != NULL)
		end->leaving();
}

/*
 * The default action is to die. Returning to the instruction with the signal queued
 * again makes the kernel do it: blocked until then, or the core would show this function.
 * Where the queue is refused, a faulting instruction faults once more.
 */
void ftsan_signal_die(int sig, const siginfo_t *info, void *frame)
{
	struct sigaction act = {.sa_handler = SIG_DFL};
	ucontext_t *uc = frame;
	uint64_t bit = FTSAN_SIGBIT(sig);

	(void)ftsan_sys_sigmask(SIG_BLOCK, &bit, NULL);
	ftsan_sigset_put(&uc->uc_sigmask,
			 ftsan_sigset_get(&uc->uc_sigmask) & ~FTSAN_SIGBIT(sig));
	ftsan_sys_call6(SYS_rt_tgsigqueueinfo, ftsan_sys_getpid(), ftsan_sys_gettid(),
			sig, (long)info, 0, 0);
	/* Last: from here on another thread that is sent the same dies in its own place,
	 * and a store to one of our pages is enough for that. */
	FTSAN_REAL(sigaction)(sig, &act, NULL);
}
