#include "launch/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/common.h"
#include "launch/exec_error.h"

enum { KEPT_BYTES = 65536 };

/* One of the program's outputs; @fd is -1 once it is closed. */
struct stream {
	int fd;
	char *text;
	size_t length;
};

static _Noreturn void become(char *const *argv,
			     const struct ftsan_environment *environment, int out,
			     int err, int error_pipe)
{
	int error = environment != NULL ? -ftsan_environment_apply(environment) : 0;
	int input = open("/dev/null", O_RDONLY);

	if (error == 0 && input >= 0 && dup2(input, 0) >= 0 && dup2(out, 1) >= 0 &&
	    dup2(err, 2) >= 0)
		execvp(argv[0], argv);
	error = error != 0 ? error : errno;
	if (write(error_pipe, &error, sizeof(error)) != (ssize_t)sizeof(error))
		_exit(FTSAN_EXIT_FAILED);
	_exit(FTSAN_EXIT_NOT_FOUND);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* What is past the limit is read and dropped: the program must not block on us. */
static void take(struct stream *stream)
{
	char dropped[4096];
	size_t room = KEPT_BYTES - 1 - stream->length;
	ssize_t n = read(stream->fd, room > 0 ? stream->text + stream->length : dropped,
			 room > 0 ? room : sizeof(dropped));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(stream->fd);
		stream->fd = -1;
	} else if (room > 0) {
		stream->length += (size_t)n;
	}
}

/* Return: false when the time is over. */
static bool read_until_closed(struct stream *streams, long long deadline)
{
	while (streams[0].fd >= 0 || streams[1].fd >= 0) {
		struct pollfd wanted[2] = {
			{.fd = streams[0].fd, .events = POLLIN},
			{.fd = streams[1].fd, .events = POLLIN},
		};
		long long left = deadline - now_ms();

		if (left <= 0)
			return false;
		if (poll(wanted, 2, (int)left) < 0 && errno != EINTR)
			return false;
		for (int i = 0; i < 2; i++)
			if (streams[i].fd >= 0 && wanted[i].revents != 0)
				take(&streams[i]);
	}
	return true;
}

static void finish(struct ftsan_capture *capture, struct stream *streams, pid_t pid,
		   int seconds)
{
	int status = 0;

	capture->timed_out = !read_until_closed(streams, now_ms() + seconds * 1000LL);
	if (capture->timed_out)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	capture->status = WIFSIGNALED(status) ? FTSAN_EXIT_SIGNAL + WTERMSIG(status)
					      : WEXITSTATUS(status);
	for (int i = 0; i < 2; i++)
		if (streams[i].fd >= 0)
			close(streams[i].fd);
	capture->out = streams[0].text;
	capture->err = streams[1].text;
}

static void close_all(const int (*pipes)[2], int n)
{
	for (int i = 0; i < n; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

int ftsan_capture_run(struct ftsan_capture *capture, char *const *argv,
		      const struct ftsan_environment *environment, int seconds)
{
	struct stream streams[2];
	int pipes[3][2];
	int error, n;
	pid_t pid;

	memset(capture, 0, sizeof(*capture));
	for (n = 0; n < 3; n++) {
		if (pipe2(pipes[n], O_CLOEXEC) != 0) {
			error = errno;
			close_all(pipes, n);
			return -error;
		}
	}
	pid = fork();
	if (pid == 0)
		become(argv, environment, pipes[0][1], pipes[1][1], pipes[2][1]);
	error = errno;
	if (pid < 0) {
		close_all(pipes, n);
		return -error;
	}
	for (n = 0; n < 3; n++)
		close(pipes[n][1]);
	error = ftsan_exec_error(pipes[2][0]);
	close(pipes[2][0]);
	for (n = 0; n < 2; n++)
		streams[n] = (struct stream){.fd = pipes[n][0],
					     .text = ftsan_xcalloc(1, KEPT_BYTES)};
	finish(capture, streams, pid, seconds);
	if (error != 0)
		ftsan_capture_release(capture);
	return -error;
}

void ftsan_capture_release(struct ftsan_capture *capture)
{
	free(capture->out);
	free(capture->err);
	memset(capture, 0, sizeof(*capture));
}
