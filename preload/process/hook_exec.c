/*
 * The exec family: the process ends for us and begins anew.
 *
 * execl, execle and execlp are not here: they would have to be rebuilt from variable
 * arguments. A process that replaces itself by one of them has no `end` record.
 */
#include <errno.h>
#include <stdbool.h>

#include "hooks/hooks.h"
#include "runtime/runtime.h"
#include "process/signal_owner.h"

/* struct leaving - what has to be taken back when the exec fails */
struct leaving {
	bool active;
	bool own;
	uint64_t mask;
};

static void leave(struct leaving *leaving)
{
	leaving->active = ftsan_preload_active();
	leaving->own = ftsan_preload_own();
	if (leaving->own)
		ftsan_runtime_end("exec", -1);
	if (leaving->active)
		ftsan_signal_exec_prepare(&leaving->mask);
}

static int come_back(const struct leaving *leaving)
{
	int error = errno;

	if (leaving->active)
		ftsan_signal_exec_failed(&leaving->mask);
	if (leaving->own)
		ftsan_runtime_unend();
	errno = error;
	return -1;
}

int ftsan_hook_execve(const char *path, char *const argv[], char *const envp[])
{
	struct leaving leaving;

	leave(&leaving);
	FTSAN_REAL(execve)(path, argv, envp);
	return come_back(&leaving);
}

int ftsan_hook_execv(const char *path, char *const argv[])
{
	struct leaving leaving;

	leave(&leaving);
	FTSAN_REAL(execv)(path, argv);
	return come_back(&leaving);
}

int ftsan_hook_execvp(const char *file, char *const argv[])
{
	struct leaving leaving;

	leave(&leaving);
	FTSAN_REAL(execvp)(file, argv);
	return come_back(&leaving);
}

int ftsan_hook_execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct leaving leaving;

	leave(&leaving);
	FTSAN_REAL(execvpe)(file, argv, envp);
	return come_back(&leaving);
}

int ftsan_hook_fexecve(int fd, char *const argv[], char *const envp[])
{
	struct leaving leaving;

	leave(&leaving);
	FTSAN_REAL(fexecve)(fd, argv, envp);
	return come_back(&leaving);
}
