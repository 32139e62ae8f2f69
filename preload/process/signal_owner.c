#include "process/signal_owner.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "process/altstack.h"
#include "base/annot.h"
#include "base/safe_read.h"
#include "base/sys.h"
#include "start/init.h"
#include "elf/real.h"
#include "runtime/runtime.h"
#include "attach/visit.h"

/* The kernel's flag behind sa_restorer; glibc sets it and reports it back. */
#define RESTORER 0x04000000

static const int owned[] = {SIGSEGV, SIGBUS, SIGTRAP};
enum { N_OWNED = FTSAN_ARRAY_LEN(owned), CHAIN_MAX = 4 };

/*
 * The program's actions, guarded by action_lock. It is taken with every signal
 * blocked, in normal and in signal context, and nothing faults while it is held, so
 * its holder always runs on.
 */
static struct sigaction program[N_OWNED];
static struct sigaction ours;
static bool taken;
static atomic_flag action_lock = ATOMIC_FLAG_INIT;

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

static unsigned index_of(int sig)
{
	return sig == SIGSEGV ? 0 : sig == SIGBUS ? 1 : 2;
}

static uint64_t lock(void)
{
	uint64_t all = ~UINT64_C(0), before = 0;

	ftsan_sys_sigmask(SIG_SETMASK, &all, &before);
	while (atomic_flag_test_and_set_explicit(&action_lock, memory_order_acquire))
		ftsan_sys_yield();
	return before;
}

static void unlock(uint64_t before)
{
	atomic_flag_clear_explicit(&action_lock, memory_order_release);
	ftsan_sys_sigmask(SIG_SETMASK, &before, NULL);
}

void ftsan_signal_fork_child(void)
{
	atomic_flag_clear(&action_lock);
}

void ftsan_signal_action_get(int sig, struct sigaction *act)
{
	uint64_t before = lock();

	*act = program[index_of(sig)];
	unlock(before);
}

void ftsan_signal_action_peek(int sig, struct sigaction *act)
{
	*act = program[index_of(sig)];
}

void ftsan_signal_action_set(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction stored = *act;
	uint64_t before, mask;

	mask = ftsan_sigset_get(&stored.sa_mask);
	ftsan_sigset_put(&stored.sa_mask,
			 mask & ~(FTSAN_SIGBIT(SIGKILL) | FTSAN_SIGBIT(SIGSTOP)));
	stored.sa_flags = (stored.sa_flags & ~RESTORER) | (ours.sa_flags & RESTORER);
	stored.sa_restorer = ours.sa_restorer;
	before = lock();
	if (old)
		*old = program[index_of(sig)];
	program[index_of(sig)] = stored;
	unlock(before);
}

/*
 * A program may leave its handler by siglongjmp, and we learn of it only by finding
 * that the stack below our handler is not in use any more. On the alternate stack that
 * is plain; elsewhere a stack grows downwards.
 */
static void drop_abandoned(uintptr_t sp)
{
	while (self.depth > 0) {
		const struct chained *top = &self.chain[self.depth - 1];

		if (sp < top->frame &&
		    (!ftsan_altstack_holds(top->frame) || ftsan_altstack_holds(sp)))
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
	for (unsigned i = 0; i < N_OWNED; i++)
		if (deliver & FTSAN_SIGBIT(owned[i]))
			ftsan_sys_tgkill(ftsan_sys_getpid(), ftsan_sys_gettid(),
					 owned[i]);
}

/*
 * The default action is to die. Returning to the instruction with the signal queued
 * again makes the kernel do it, with the registers and the details of the first time.
 * Where the queue is refused, a faulting instruction faults once more.
 */
static void die_of(int sig, siginfo_t *info, ucontext_t *uc)
{
	struct sigaction act = {.sa_handler = SIG_DFL};

	FTSAN_REAL(sigaction)(sig, &act, NULL);
	ftsan_sigset_put(&uc->uc_sigmask,
			 ftsan_sigset_get(&uc->uc_sigmask) & ~FTSAN_SIGBIT(sig));
	ftsan_sys_call6(SYS_rt_tgsigqueueinfo, ftsan_sys_getpid(), ftsan_sys_gettid(),
			sig, (long)info, 0, 0);
}

/* The action, which SA_RESETHAND lets act only once. */
static void take_action(int sig, struct sigaction *act)
{
	struct sigaction *stored = &program[index_of(sig)];
	uint64_t before;

	if (!ftsan_preload_own()) {
		ftsan_signal_action_peek(sig, act);
		return;
	}
	before = lock();
	*act = *stored;
	if ((act->sa_flags & (int)SA_RESETHAND) && act->sa_handler != SIG_IGN)
		stored->sa_handler = SIG_DFL;
	unlock(before);
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
	ftsan_sys_sigmask(SIG_SETMASK, &real, NULL);
	/* The kernel passes all three whether or not SA_SIGINFO is set. */
	act->sa_sigaction(sig, info, uc);
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

static void on_program_signal(int sig, siginfo_t *info, ucontext_t *uc)
{
	bool sent = can_wait(sig, info);
	struct sigaction act;
	uint64_t blocked;

	drop_abandoned((uintptr_t)uc->uc_mcontext.gregs[REG_RSP]);
	blocked = self.blocked;
	if (blocked & FTSAN_SIGBIT(sig)) {
		if (sent)
			self.pending |= (uint16_t)FTSAN_SIGBIT(sig);
		else
			die_of(sig, info, uc);
		return;
	}
	take_action(sig, &act);
	if (act.sa_handler == SIG_DFL || (act.sa_handler == SIG_IGN && !sent))
		die_of(sig, info, uc);
	else if (act.sa_handler != SIG_IGN)
		run_handler(sig, &act, info, uc, blocked);
}

/* A sent signal has no address, and inside ftsan_safe_read() is no fault of that. */
static bool is_ours(int sig, siginfo_t *info, void *uc)
{
	if (info->si_code <= 0)
		return ftsan_visit_signal(sig, info, uc);
	if (sig == SIGTRAP)
		return ftsan_runtime_trap(info, uc);
	return ftsan_safe_read_fixup(uc) || ftsan_stack_fixup(uc) ||
	       (sig == SIGSEGV && ftsan_runtime_fault(info, uc));
}

static void on_signal(int sig, siginfo_t *info, void *uc)
{
	int error = errno;
	bool handled = is_ours(sig, info, uc);

	errno = error;
	if (!handled)
		on_program_signal(sig, info, uc);
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

/* A detach that could not give it back has left our handler in place, if the program
 * has not installed one since. */
static int take_one(unsigned i, const struct sigaction *act)
{
	struct sigaction before;

	if (FTSAN_REAL(sigaction)(owned[i], act, &before) != 0)
		return -1;
	if (!taken || before.sa_sigaction != on_signal)
		program[i] = before;
	return 0;
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

	/* Not sigfillset(), which leaves out libc's own signals: a thread that is
	 * cancelled asynchronously would unwind out of a handler of ours. */
	ftsan_sigset_put(&act.sa_mask, ~(FTSAN_SIGBIT(SIGSEGV) | FTSAN_SIGBIT(SIGBUS)));
	for (unsigned i = 0; i < N_OWNED; i++)
		if (take_one(i, &act) != 0)
			return -errno;
	taken = true;
	FTSAN_REAL(sigaction)(owned[0], NULL, &ours);
	strip_masks();
	ftsan_sys_sigmask(SIG_UNBLOCK, &bits, &mask);
	self.blocked = (uint16_t)(mask & bits);
	return 0;
}

void ftsan_signal_give_back(void)
{
	uint64_t bits = self.blocked;
	struct sigaction now;

	ftsan_sys_sigmask(SIG_BLOCK, &bits, NULL);
	self.blocked = 0;
	for (unsigned i = 0; i < N_OWNED; i++)
		/* The program may have been quicker: hooks call the originals by now. */
		if (FTSAN_REAL(sigaction)(owned[i], NULL, &now) == 0 &&
		    now.sa_sigaction == on_signal)
			FTSAN_REAL(sigaction)(owned[i], &program[i], NULL);
	taken = false;
	for (int sig = 1; sig < NSIG; sig++)
		if (!ftsan_signal_owned(sig))
			ftsan_signal_restore_other(sig);
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
	for (unsigned i = 0; i < N_OWNED; i++)
		if (self.pending & FTSAN_SIGBIT(owned[i]))
			ftsan_sys_tgkill(ftsan_sys_getpid(), ftsan_sys_gettid(),
					 owned[i]);
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

/* Swaps one action for another where it is in place; a vfork child may have set its own.
 */
static void swap_ignored(const struct sigaction *from, const struct sigaction *to)
{
	struct sigaction now;

	for (unsigned i = 0; i < N_OWNED; i++)
		if (program[i].sa_handler == SIG_IGN &&
		    FTSAN_REAL(sigaction)(owned[i], NULL, &now) == 0 &&
		    now.sa_handler == from->sa_handler)
			FTSAN_REAL(sigaction)(owned[i], to, NULL);
}

static const struct sigaction ignore = {.sa_handler = SIG_IGN};

/* No lock: in a vfork child it may be held by a thread of the parent. */
void ftsan_signal_exec_prepare(uint64_t *before)
{
	uint64_t bits = self.real_mask_pid == ftsan_sys_getpid() ? 0 : self.blocked;

	ftsan_sys_sigmask(SIG_BLOCK, &bits, before);
	swap_ignored(&ours, &ignore);
}

void ftsan_signal_exec_failed(const uint64_t *before)
{
	ftsan_sys_sigmask(SIG_SETMASK, before, NULL);
	swap_ignored(&ignore, &ours);
}
