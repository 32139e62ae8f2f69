/*
 * The exec family: the process ends for us and begins anew.
 *
 * execl, execle and execlp are not here: they would have to be rebuilt from variable
 * arguments. A process that replaces itself by one of them has no `end` record.
 */
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "hooks/hooks.h"
#include "process/follow.h"
#include "process/signal_owner.h"
#include "runtime/runtime.h"

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

/*
 * Replaces @envp by one with what the child needs to be followed, on the stack of the
 * calling function: between vfork and exec there is no other memory to be had.
 */
#define FOLLOW(path, envp)                                                               \
	size_t bytes_ = 1, room_ = ftsan_follow_room(path, envp, &bytes_);               \
	char *full_[room_ + 1], text_[bytes_];                                           \
	if (room_ > 0) {                                                                 \
		ftsan_follow_fill(full_, text_, envp);                                   \
		envp = full_;                                                            \
	}

int ftsan_hook_execve(const char *path, char *const argv[], char *const envp[])
{
	struct leaving leaving;

	FOLLOW(path, envp)
	leave(&leaving);
	FTSAN_REAL(execve)(path, argv, envp);
	return come_back(&leaving);
}

int ftsan_hook_execv(const char *path, char *const argv[])
{
	return ftsan_hook_execve(path, argv, environ);
}

int ftsan_hook_execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct leaving leaving;

	FOLLOW(file, envp)
	leave(&leaving);
	FTSAN_REAL(execvpe)(file, argv, envp);
	return come_back(&leaving);
}

int ftsan_hook_execvp(const char *file, char *const argv[])
{
	return ftsan_hook_execvpe(file, argv, environ);
}

int ftsan_hook_fexecve(int fd, char *const argv[], char *const envp[])
{
	struct leaving leaving;

	FOLLOW(argv && argv[0] ? argv[0] : "?", envp)
	leave(&leaving);
	FTSAN_REAL(fexecve)(fd, argv, envp);
	return come_back(&leaving);
}

/* glibc's stores the number while it blocks all signals, and a store to a static that
 * traps then is the end. */
static int spawned(int error, pid_t made, pid_t *pid)
{
	if (error == 0 && pid != NULL)
		*pid = made;
	return error;
}

int ftsan_hook_posix_spawn(pid_t *pid, const char *path,
			   const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attributes, char *const argv[],
			   char *const envp[])
{
	pid_t made;
	int error;

	FOLLOW(path, envp)
	error = FTSAN_REAL(posix_spawn)(&made, path, actions, attributes, argv, envp);
	return spawned(error, made, pid);
}

int ftsan_hook_posix_spawnp(pid_t *pid, const char *file,
			    const posix_spawn_file_actions_t *actions,
			    const posix_spawnattr_t *attributes, char *const argv[],
			    char *const envp[])
{
	pid_t made;
	int error;

	FOLLOW(file, envp)
	error = FTSAN_REAL(posix_spawnp)(&made, file, actions, attributes, argv, envp);
	return spawned(error, made, pid);
}
