#include "launch/child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"
#include "launch/exec_error.h"

/* Read by the signal handler; set once, while the forwarded signals are blocked. */
static volatile pid_t forward_to;

static void forward(int number)
{
	int saved = errno;

	kill(forward_to, number);
	errno = saved;
}

/*
 * How we meet the signals while we wait. SIGCHLD at its default, because a parent that
 * ignored it gets no exit status; SIGPIPE ignored, because a reader of our reports that
 * went away is no reason to leave the child alone.
 */
static const struct {
	void (*handler)(int);
	int number;
	bool keep_ignored; /* nohup(1) meant it */
} dispositions[] = {
	{SIG_IGN, SIGINT, false},  {SIG_IGN, SIGQUIT, false}, {SIG_IGN, SIGPIPE, false},
	{SIG_DFL, SIGCHLD, false}, {forward, SIGTERM, true},  {forward, SIGHUP, true},
};

/* The state that the child gets back. */
struct signal_state {
	sigset_t mask;
	struct sigaction actions[FTSAN_ARRAY_LEN(dispositions)];
};

static void change_signals(struct signal_state *before)
{
	struct sigaction action = {.sa_flags = SA_RESTART};
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before->mask);
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(dispositions); i++) {
		sigaction(dispositions[i].number, NULL, &before->actions[i]);
		if (dispositions[i].keep_ignored &&
		    before->actions[i].sa_handler == SIG_IGN)
			continue;
		action.sa_handler = dispositions[i].handler;
		sigaction(dispositions[i].number, &action, NULL);
	}
}

static void restore_signals(const struct signal_state *before)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(dispositions); i++)
		sigaction(dispositions[i].number, &before->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

/* SIGCHLD stays blocked here: ftsan_child_wait() takes it with sigtimedwait(2). */
static void unblock_own(const struct signal_state *before)
{
	sigset_t mask = before->mask;

	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static _Noreturn void become(char *const *argv,
			     const struct ftsan_environment *environment,
			     const struct signal_state *signals, int error_pipe)
{
	int error = -ftsan_environment_apply(environment);

	if (error == 0) {
		restore_signals(signals);
		execvp(argv[0], argv);
		error = errno;
	}
	if (write(error_pipe, &error, sizeof(error)) != (ssize_t)sizeof(error))
		_exit(FTSAN_EXIT_FAILED);
	_exit(FTSAN_EXIT_NOT_FOUND);
}

int ftsan_child_start(struct ftsan_child *child, char *const *argv,
		      const struct ftsan_environment *environment)
{
	struct signal_state before;
	int error_pipe[2];
	int error;

	memset(child, 0, sizeof(*child));
	if (pipe2(error_pipe, O_CLOEXEC) != 0)
		return -errno;
	change_signals(&before);
	child->pid = fork();
	if (child->pid == 0)
		become(argv, environment, &before, error_pipe[1]);
	error = errno;
	close(error_pipe[1]);
	if (child->pid < 0) {
		restore_signals(&before);
		close(error_pipe[0]);
		return -error;
	}
	forward_to = child->pid;
	unblock_own(&before);
	error = ftsan_exec_error(error_pipe[0]);
	close(error_pipe[0]);
	if (error != 0)
		waitpid(child->pid, &child->wait_status, 0);
	return -error;
}

int ftsan_child_not_started(const struct ftsan_child *child, const char *command,
			    int error)
{
	if (child->pid <= 0) {
		ftsan_error("no process for %s: %s", command, strerror(-error));
		return FTSAN_EXIT_FAILED;
	}
	ftsan_error("%s: %s", command, strerror(-error));
	return error == -ENOENT ? FTSAN_EXIT_NOT_FOUND : FTSAN_EXIT_NOT_EXECUTABLE;
}

bool ftsan_child_wait(struct ftsan_child *child, int milliseconds)
{
	struct timespec timeout = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
	sigset_t child_ended;
	pid_t pid;

	sigemptyset(&child_ended);
	sigaddset(&child_ended, SIGCHLD);
	sigtimedwait(&child_ended, NULL, &timeout);
	do
		pid = waitpid(child->pid, &child->wait_status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	return pid != 0;
}

int ftsan_child_status(const struct ftsan_child *child)
{
	if (WIFSIGNALED(child->wait_status))
		return FTSAN_EXIT_SIGNAL + WTERMSIG(child->wait_status);
	return WEXITSTATUS(child->wait_status);
}
