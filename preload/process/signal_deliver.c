#include "process/signal_deliver.h"

#include <errno.h>
#include <stdbool.h>
#include <ucontext.h>

#include "base/base.h"
#include "process/altstack.h"
#include "process/signal_actions.h"
#include "process/signal_bits.h"
#include "process/signal_end.h"

enum { CHAIN_MAX = 4 };

/*
 * struct chained - one handler of the program that runs now
 * @frame:   where our own handler below it has its frame
 * @blocked: what was blocked before
 */
struct chained {
	uintptr_t frame;
	uint64_t blocked;
};

/*
 * @real_mask_pid: a vfork child that has set its mask for real; it shares this variable
 *                 with the thread that made it, which must find @blocked unchanged
 */
static FTSAN_TLS struct {
	uint16_t blocked;
	uint16_t pending;
	int real_mask_pid;
	uint32_t depth;
	struct chained chain[CHAIN_MAX];
} self;

/*
 * A program may leave its handler by siglongjmp, and we learn of it only by finding
 * that the stack below our handler is not in use any more.
 */
static void drop_abandoned(uintptr_t sp)
{
	while (self.depth > 0) {
		const struct chained *top = &self.chain[self.depth - 1];

		if (ftsan_altstack_within(top->frame, sp))
			return;
		self.blocked = (uint16_t)top->blocked;
		self.depth--;
	}
}

uint64_t ftsan_signal_blocked(void)
{
	drop_abandoned((uintptr_t)__builtin_frame_address(0));
	return self.blocked;
}

void ftsan_signal_set_blocked(uint64_t bits)
{
	uint64_t deliver = self.pending & ~bits;

	self.blocked = (uint16_t)(bits & FTSAN_SIG_OWNED);
	if (!deliver)
		return;
	self.pending = (uint16_t)(self.pending & bits);
	for (unsigned i = 0; i < FTSAN_SIG_N_OWNED; i++)
		if (deliver & FTSAN_SIGBIT(ftsan_signal_numbers[i]))
			ftsan_sys_tgkill(ftsan_sys_getpid(), ftsan_sys_gettid(),
					 ftsan_signal_numbers[i]);
}

static void die_of(int sig, siginfo_t *info, ucontext_t *uc)
{
	if (sig != SIGTRAP)
		ftsan_signal_dying(sig, info, uc);
	ftsan_signal_die(sig, info, uc);
}

/*
 * Runs the handler under the mask that the kernel would have given it. The frame's
 * mask shows the owned signals as the program sees them while its handler may read and
 * change it, and as the kernel must have them afterwards.
 */
static void run_handler(int sig, const struct sigaction *act, siginfo_t *info,
			ucontext_t *uc, uint64_t blocked)
{
	uint64_t mask = ftsan_sigset_get(&uc->uc_sigmask) | blocked;
	uint64_t during = mask | ftsan_sigset_get(&act->sa_mask), real;
	uint32_t depth = self.depth;

	ftsan_sigset_put(&uc->uc_sigmask, mask);
	if (!(act->sa_flags & SA_NODEFER))
		during |= FTSAN_SIGBIT(sig);
	if (depth < CHAIN_MAX)
		self.chain[self.depth++] =
			(struct chained){.frame = (uintptr_t)__builtin_frame_address(0),
					 .blocked = blocked};
	self.blocked = (uint16_t)(during & FTSAN_SIG_OWNED);
	real = during & ~FTSAN_SIG_OWNED;
	if (sig != SIGTRAP)
		ftsan_signal_suspect(sig, info, uc, act);
	ftsan_sys_sigmask(SIG_SETMASK, &real, NULL);
	/* The kernel passes all three whether or not SA_SIGINFO is set. */
	act->sa_sigaction(sig, info, uc);
	if (sig != SIGTRAP)
		ftsan_signal_survived();
	self.depth = depth;
	mask = ftsan_sigset_get(&uc->uc_sigmask);
	ftsan_sigset_put(&uc->uc_sigmask, mask & ~FTSAN_SIG_OWNED);
	ftsan_signal_set_blocked(mask & FTSAN_SIG_OWNED);
}

/* <asm-generic/siginfo.h>; older libcs have no name for it. */
enum { CODE_TRAP_PERF = 6 };

/*
 * A signal that an instruction caused cannot wait and cannot be ignored: the kernel
 * kills then. One that was sent can (si_code tells: the kernel's own are positive), and
 * so can a perf event's, which the kernel sends rather than forces (send_sig_perf()).
 */
static bool can_wait(int sig, const siginfo_t *info)
{
	return info->si_code <= 0 || (sig == SIGTRAP && info->si_code == CODE_TRAP_PERF);
}

void ftsan_signal_deliver(int sig, siginfo_t *info, void *frame)
{
	ucontext_t *uc = frame;
	bool sent = can_wait(sig, info);
	struct sigaction act;
	uint64_t blocked;

	drop_abandoned(ftsan_context_sp(uc));
	blocked = self.blocked;
	if (blocked & FTSAN_SIGBIT(sig)) {
		if (sent)
			self.pending |= (uint16_t)FTSAN_SIGBIT(sig);
		else
			die_of(sig, info, uc);
		return;
	}
	ftsan_signal_action_take(sig, &act);
	if (act.sa_handler == SIG_DFL || (act.sa_handler == SIG_IGN && !sent))
		die_of(sig, info, uc);
	else if (act.sa_handler != SIG_IGN)
		run_handler(sig, &act, info, uc, blocked);
}

void ftsan_signal_adopt(void *frame)
{
	ucontext_t *uc = frame;
	uint64_t mask = ftsan_sigset_get(&uc->uc_sigmask);

	self.blocked |= (uint16_t)(mask & FTSAN_SIG_OWNED);
	ftsan_sigset_put(&uc->uc_sigmask, mask & ~FTSAN_SIG_OWNED);
}

/* What waits here goes to the kernel, where it waits for the same mask. */
void ftsan_signal_release(void *frame)
{
	ucontext_t *uc = frame;

	ftsan_sigset_put(&uc->uc_sigmask,
			 ftsan_sigset_get(&uc->uc_sigmask) | self.blocked);
	for (unsigned i = 0; i < FTSAN_SIG_N_OWNED; i++)
		if (self.pending & FTSAN_SIGBIT(ftsan_signal_numbers[i]))
			ftsan_sys_tgkill(ftsan_sys_getpid(), ftsan_sys_gettid(),
					 ftsan_signal_numbers[i]);
	self.blocked = self.pending = 0;
}

void ftsan_signal_foreign_mask(void)
{
	uint64_t bits = self.blocked;

	if (self.real_mask_pid == ftsan_sys_getpid())
		return;
	ftsan_sys_sigmask(SIG_BLOCK, &bits, NULL);
	self.real_mask_pid = ftsan_sys_getpid();
}

uint64_t ftsan_signal_note_blocked(uint64_t bits)
{
	uint64_t before = self.blocked;

	self.blocked = (uint16_t)(bits & FTSAN_SIG_OWNED);
	return before;
}

uint64_t ftsan_signal_inherited(void)
{
	return self.real_mask_pid == ftsan_sys_getpid() ? 0 : self.blocked;
}
