#include "process/hook_process.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "process/scout.h"
#include "process/signal_actions.h"
#include "process/signal_end.h"
#include "process/thread_count.h"
#include "runtime/runtime.h"

/* The forking thread's id before the fork; only that thread exists in the child. */
static _Atomic uint32_t forking_tid;

/* All three: after a detach, too, because buffers of ours may be in use. */
static void before_fork(void)
{
	if (!ftsan_runtime_own_process())
		return;
	ftsan_scout_pause();
	forking_tid = (uint32_t)ftsan_sys_gettid();
	ftsan_runtime_fork_prepare();
}

static void after_fork_parent(void)
{
	if (!ftsan_runtime_own_process())
		return;
	ftsan_runtime_fork_parent();
	ftsan_scout_resume();
}

static void after_fork_child(void)
{
	ftsan_thread_count_set(1);
	ftsan_signal_fork_child();
	ftsan_dl_fork_child(forking_tid);
	ftsan_scout_fork_child(forking_tid);
	ftsan_runtime_fork_child();
}

/*
 * The status that the process is to end with: findings make a success of the first
 * process a failure. Workers keep theirs, because their parents interpret it.
 */
static int final_status(const char *reason, int status)
{
	unsigned findings, exitcode = ftsan_preload_options()->exitcode;

	if (!ftsan_preload_own())
		return status;
	ftsan_signal_leaving();
	findings = ftsan_runtime_end(reason, status);
	return findings && exitcode && (status & 0xff) == 0 && ftsan_preload_root()
		       ? (int)exitcode
		       : status;
}

/*
 * Calling exit() again from a handler goes on with the handlers that are left, flushes
 * stdio the way exit does (without waiting for a thread that sits in getchar()), and
 * ends with the new status.
 */
static void on_program_exit(int status, void *unused)
{
	int final = final_status("exit", status);

	(void)unused;
	if (final != status)
		exit(final);
}

/* Tells our object from others: what was registered with it goes when it does. */
extern char __dso_handle[] __attribute__((visibility("hidden")));

void ftsan_process_start(void)
{
	__register_atfork(before_fork, after_fork_parent, after_fork_child, __dso_handle);
	on_exit(on_program_exit, NULL);
}

void ftsan_hook__exit(int status)
{
	if (ftsan_preload_active())
		status = final_status("_exit", status);
	FTSAN_REAL(_exit)(status);
	__builtin_unreachable();
}

void ftsan_hook__Exit(int status)
{
	ftsan_hook__exit(status);
}

/* The handlers of at_quick_exit() come after the `end` record then. */
void ftsan_hook_quick_exit(int status)
{
	if (ftsan_preload_active())
		status = final_status("_exit", status);
	FTSAN_REAL(quick_exit)(status);
	__builtin_unreachable();
}

/* The one fork that runs no handlers. */
pid_t ftsan_hook__Fork(void)
{
	pid_t pid;
	int error;

	if (!ftsan_preload_own())
		return FTSAN_REAL(_Fork)();
	before_fork();
	pid = FTSAN_REAL(_Fork)();
	error = errno;
	if (pid == 0)
		after_fork_child();
	else
		after_fork_parent();
	errno = error;
	return pid;
}

/* Both refuse a process with several threads for some of their flags. */
int ftsan_hook_unshare(int flags)
{
	int result;

	if (!ftsan_preload_own())
		return FTSAN_REAL(unshare)(flags);
	ftsan_scout_pause();
	result = FTSAN_REAL(unshare)(flags);
	ftsan_scout_resume();
	return result;
}

int ftsan_hook_setns(int fd, int type)
{
	int result;

	if (!ftsan_preload_own())
		return FTSAN_REAL(setns)(fd, type);
	ftsan_scout_pause();
	result = FTSAN_REAL(setns)(fd, type);
	ftsan_scout_resume();
	return result;
}
