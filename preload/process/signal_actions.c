#include "process/signal_actions.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "process/signal_bits.h"

/* The kernel's flag behind sa_restorer; glibc sets it and reports it back. */
#define RESTORER 0x04000000

const int ftsan_signal_numbers[] = {SIGSEGV, SIGBUS, SIGTRAP};

/*
 * The program's actions, guarded by action_lock. It is taken with every signal
 * blocked, in normal and in signal context, and nothing faults while it is held, so
 * its holder always runs on.
 */
static struct sigaction program[FTSAN_SIG_N_OWNED];
static struct sigaction ours;
static bool taken;
static atomic_flag action_lock = ATOMIC_FLAG_INIT;

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

void ftsan_signal_action_take(int sig, struct sigaction *act)
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

/* A detach that could not give it back has left our handler in place, if the program
 * has not installed one since. */
static int replace(unsigned i, const struct sigaction *act)
{
	struct sigaction before;

	if (FTSAN_REAL(sigaction)(ftsan_signal_numbers[i], act, &before) != 0)
		return -1;
	if (!taken || before.sa_sigaction != act->sa_sigaction)
		program[i] = before;
	return 0;
}

int ftsan_signal_actions_replace(const struct sigaction *act)
{
	for (unsigned i = 0; i < FTSAN_SIG_N_OWNED; i++)
		if (replace(i, act) != 0)
			return -errno;
	taken = true;
	FTSAN_REAL(sigaction)(ftsan_signal_numbers[0], NULL, &ours);
	return 0;
}

void ftsan_signal_actions_restore(void)
{
	struct sigaction now;

	for (unsigned i = 0; i < FTSAN_SIG_N_OWNED; i++)
		/* The program may have been quicker: hooks call the originals by now. */
		if (FTSAN_REAL(sigaction)(ftsan_signal_numbers[i], NULL, &now) == 0 &&
		    now.sa_sigaction == ours.sa_sigaction)
			FTSAN_REAL(sigaction)(ftsan_signal_numbers[i], &program[i], NULL);
	taken = false;
}

/* Swaps one action for another where it is in place; a vfork child may have set its own.
 */
static void swap_ignored(const struct sigaction *from, const struct sigaction *to)
{
	struct sigaction now;

	for (unsigned i = 0; i < FTSAN_SIG_N_OWNED; i++)
		if (program[i].sa_handler == SIG_IGN &&
		    FTSAN_REAL(sigaction)(ftsan_signal_numbers[i], NULL, &now) == 0 &&
		    now.sa_handler == from->sa_handler)
			FTSAN_REAL(sigaction)(ftsan_signal_numbers[i], to, NULL);
}

void ftsan_signal_actions_ignore(bool for_real)
{
	static const struct sigaction ignore = {.sa_handler = SIG_IGN};

	swap_ignored(for_real ? &ours : &ignore, for_real ? &ignore : &ours);
}
