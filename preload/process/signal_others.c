#include "process/signal_others.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "hooks/hooks.h"
#include "process/signal_bits.h"
#include "process/signal_deadly.h"

/*
 * Owned signals that the program wants blocked while another signal is handled. Only
 * reported back: a handler that met a guarded page under such a mask would be killed.
 */
static _Atomic uint16_t wanted_blocked[NSIG];

static bool valid(int sig)
{
	return sig > 0 && sig < NSIG;
}

int ftsan_signal_set_other(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction stripped;
	uint64_t mask = 0, before;
	int result;

	if (act) {
		stripped = *act;
		mask = ftsan_sigset_get(&act->sa_mask);
		ftsan_sigset_put(&stripped.sa_mask, mask & ~FTSAN_SIG_OWNED);
	}
	before = valid(sig) ? atomic_load(&wanted_blocked[sig]) : 0;
	result = ftsan_deadly(sig)
			 ? ftsan_deadly_action(sig, act ? &stripped : NULL, old)
			 : FTSAN_REAL(sigaction)(sig, act ? &stripped : NULL, old);
	if (result != 0)
		return result;
	if (act)
		atomic_store(&wanted_blocked[sig], (uint16_t)(mask & FTSAN_SIG_OWNED));
	if (old)
		ftsan_sigset_put(&old->sa_mask, ftsan_sigset_get(&old->sa_mask) | before);
	return 0;
}

void ftsan_signal_restore_other(int sig)
{
	uint16_t stripped = atomic_exchange(&wanted_blocked[sig], 0);
	struct sigaction act;

	if (!stripped || FTSAN_REAL(sigaction)(sig, NULL, &act) != 0)
		return;
	ftsan_sigset_put(&act.sa_mask, ftsan_sigset_get(&act.sa_mask) | stripped);
	FTSAN_REAL(sigaction)(sig, &act, NULL);
}

void ftsan_signal_forget_other(int sig)
{
	if (valid(sig))
		atomic_store(&wanted_blocked[sig], 0);
}
