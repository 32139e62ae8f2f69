/*
 * Deaths: of the program's children, which it hears of by the wait family, and its own by
 * a signal that it sends itself, as CPython does at the end of a Ctrl-C.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "runtime/runtime.h"

/* A signal is 128 more to whoever looks at the status. */
enum { SIGNALLED = 128 };

static void tell(pid_t pid, int status)
{
	int error = errno;

	if (pid > 0 && WIFSIGNALED(status) && ftsan_preload_own())
		ftsan_runtime_child_died(pid, WTERMSIG(status));
	errno = error;
}

pid_t ftsan_hook_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	int mine = 0;
	struct rusage used;
	pid_t got = FTSAN_REAL(wait4)(pid, &mine, options, usage == NULL ? NULL : &used);

	/* The kernel fails where a page is sealed. */
	if (got > 0 && status != NULL)
		*status = mine;
	if (got > 0 && usage != NULL)
		*usage = used;
	tell(got, mine);
	return got;
}

pid_t ftsan_hook_wait3(int *status, int options, struct rusage *usage)
{
	return ftsan_hook_wait4(-1, status, options, usage);
}

pid_t ftsan_hook_waitpid(pid_t pid, int *status, int options)
{
	int mine = 0;
	pid_t got = FTSAN_REAL(waitpid)(pid, &mine, options);

	if (got > 0 && status != NULL)
		*status = mine;
	tell(got, mine);
	return got;
}

pid_t ftsan_hook_wait(int *status)
{
	return ftsan_hook_waitpid(-1, status, 0);
}

int ftsan_hook_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	siginfo_t mine;
	int result;

	if (info == NULL || ftsan_safe_read(&mine, info, sizeof(mine)) != 0)
		return FTSAN_REAL(waitid)(type, id, info, options);
	result = FTSAN_REAL(waitid)(type, id, &mine, options);
	if (result == 0)
		*info = mine;
	/* One that is only looked at will be waited for. */
	if (result == 0 && !(options & WNOWAIT) && info->si_pid > 0 &&
	    (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED))
		tell(info->si_pid, info->si_status);
	return result;
}

/* Does it end this process, as far as can be told? */
static bool is_deadly(pid_t pid, int sig)
{
	struct sigaction act;
	sigset_t blocked;

	if (pid != ftsan_sys_getpid() || sig <= 0)
		return false;
	if (sig == SIGKILL)
		return true;
	if (sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH || sig == SIGCONT ||
	    sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		return false;
	/* One that this thread blocks may wait for a long time. */
	if (FTSAN_REAL(pthread_sigmask)(SIG_BLOCK, NULL, &blocked) != 0 ||
	    sigismember(&blocked, sig) != 0)
		return false;
	return ftsan_hook_sigaction(sig, NULL, &act) == 0 && act.sa_handler == SIG_DFL;
}

int ftsan_hook_kill(pid_t pid, int sig)
{
	bool deadly =
		ftsan_preload_active() && is_deadly(pid, sig) && ftsan_preload_own();
	int result;

	if (deadly)
		ftsan_runtime_end("signal", SIGNALLED + sig);
	result = FTSAN_REAL(kill)(pid, sig);
	/* Another thread has not taken it yet. */
	if (deadly)
		ftsan_runtime_unend();
	return result;
}
