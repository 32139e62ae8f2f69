#include "attach/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/inject.h"
#include "attach/remote.h"
#include "common/common.h"

enum { POLL_US = 5000, FIRST_REMOTE = 0x030e0000 };
/* For a main thread that is busy, but may be so in C code; and where it has to be it. */
enum { REMOTE_SECONDS_AUTO = 1, REMOTE_SECONDS = 5 };
enum { ANSWER_BYTES = 1 << 16 };

/* struct post - the files of one request; names are owned */
struct post {
	char *directory, *request, *status, *script;
};

/* Who may be no friend of ours: root attaches to anybody's process. */
static bool is_foreign(const struct ftsan_target *target)
{
	return geteuid() != target->uid;
}

/* The process reads and writes them; when root asks, it may be another user's. */
static int make_file(const struct ftsan_target *target, const char *path,
		     const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t length = strlen(text);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, length) != (ssize_t)length ||
	    (is_foreign(target) && fchown(fd, target->uid, target->gid) != 0))
		error = -errno;
	close(fd);
	return error;
}

static char *request_text(const struct ftsan_delivery *delivery, const char *status)
{
	return ftsan_xprintf("status=%s\noptions=%s\nrun=%s\n", status,
			     delivery->options != NULL ? delivery->options : "",
			     delivery->run != NULL ? delivery->run : "");
}

static void close_post(struct post *post, bool keep_script)
{
	if (post->request != NULL) {
		unlink(post->request);
		unlink(post->status);
		if (!keep_script)
			unlink(post->script);
		rmdir(post->directory);
	}
	free(post->directory);
	free(post->request);
	free(post->status);
	free(post->script);
}

static int open_post(struct post *post, const struct ftsan_target *target,
		     const struct ftsan_delivery *delivery)
{
	char *text;
	int error;

	*post = (struct post){.directory = ftsan_xstrdup("/tmp/ftsan-attach-XXXXXX")};
	if (mkdtemp(post->directory) == NULL) {
		error = -errno;
		ftsan_error("%s: %s", post->directory, strerror(-error));
		return error;
	}
	post->request = ftsan_xprintf("%s/request", post->directory);
	post->status = ftsan_xprintf("%s/status", post->directory);
	post->script = ftsan_xprintf("%s/script.py", post->directory);
	text = request_text(delivery, post->status);
	error = make_file(target, post->status, "");
	if (error == 0)
		error = make_file(target, post->request, text);
	/* Another user gets at the files, but not at their names: what is opened,
	 * truncated and removed in here by root must stay what it is. */
	if (error == 0 && is_foreign(target) && chmod(post->directory, 0711) != 0)
		error = -errno;
	if (error != 0)
		ftsan_error("%s: %s", post->directory, strerror(-error));
	free(text);
	return error;
}

/* --- the answer --------------------------------------------------------------------- */

/* The last complete line that begins with @word; NULL: none. Malloc'ed. The process may
 * write what it likes, and as much. */
static char *status_line(const struct post *post, const char *word)
{
	FILE *file = fopen(post->status, "re");
	char *line = NULL, *found = NULL;
	struct stat status;
	size_t room = 0;

	while (file != NULL && fstat(fileno(file), &status) == 0 &&
	       status.st_size <= ANSWER_BYTES && getline(&line, &room, file) > 0) {
		char *end = strchr(line, '\n');

		if (end == NULL || strncmp(line, word, strlen(word)) != 0)
			continue;
		*end = '\0';
		free(found);
		found = ftsan_xstrdup(line + strlen(word));
	}
	if (file != NULL)
		fclose(file);
	free(line);
	return found;
}

static int no_answer(const struct ftsan_target *target, const struct post *post)
{
	char *step = status_line(post, "step: ");

	if (ftsan_target_ended(target))
		ftsan_error("process %d has ended, or runs another program",
			    (int)target->pid);
	else if (step == NULL)
		ftsan_error("process %d does not answer: the thread that was caught did "
			    "not get to it",
			    (int)target->pid);
	else
		ftsan_error("process %d does not answer; it was last at: %s (ftsan "
			    "detach %d, later on)",
			    (int)target->pid, step, (int)target->pid);
	free(step);
	return -ETIMEDOUT;
}

/* Something was written? Then the request has been read. */
static bool has_begun(const void *of)
{
	const struct post *post = of;
	struct stat status;

	return stat(post->status, &status) == 0 && status.st_size > 0;
}

static int wait_for_answer(const struct ftsan_target *target, const struct post *post,
			   unsigned seconds, char **answer)
{
	for (unsigned i = 0; i < seconds * (1000000 / POLL_US); i++) {
		char *failure;

		*answer = status_line(post, "done: ");
		if (*answer != NULL)
			return 0;
		failure = status_line(post, "failed: ");
		if (failure != NULL) {
			ftsan_error("process %d: %s", (int)target->pid, failure);
			free(failure);
			return -ECANCELED;
		}
		if (ftsan_target_ended(target))
			break;
		usleep(POLL_US);
	}
	return no_answer(target, post);
}

/* --- by ptrace, by sys.remote_exec -------------------------------------------------- */

static int by_ptrace(const struct ftsan_target *target,
		     const struct ftsan_delivery *delivery, const struct post *post)
{
	struct ftsan_call call = {
		.library = delivery->library,
		.function = delivery->function,
		.request = post->request,
		.status = post->status,
	};

	return ftsan_inject(target, &call, delivery->seconds);
}

static int remote_failed(const struct ftsan_target *target, int error)
{
	static const char *const reasons[] = {
		[FTSAN_MAIN_BUSY] = "its main thread did not come by in time",
		[FTSAN_MAIN_WAITS] = ("its main thread waits, and runs no Python code "
				      "meanwhile"),
		[FTSAN_MAIN_STOPPED] = "it is stopped (kill -CONT lets it go on)",
	};
	const char *reason = "it refuses (see above)";

	if (ftsan_target_ended(target)) {
		ftsan_error("process %d has ended, or runs another program",
			    (int)target->pid);
		return error;
	}
	if (error == -ETIMEDOUT)
		reason = reasons[ftsan_remote_main(target)];
	ftsan_error("can't attach to %d by sys.remote_exec: %s; --by ptrace needs no "
		    "main thread",
		    (int)target->pid, reason);
	return error;
}

/* By CPython, if it is to be, or soon can. */
static int by_remote_exec(const struct ftsan_target *target,
			  const struct ftsan_delivery *delivery, const struct post *post,
			  bool only, bool *keep_script)
{
	struct ftsan_remote remote = {
		.python = delivery->python != NULL ? delivery->python : target->exe,
		.script = post->script,
		.seconds = only ? REMOTE_SECONDS : REMOTE_SECONDS_AUTO,
		.begun = has_begun,
		.post = post,
	};
	char *text = ftsan_remote_script(delivery->library, delivery->function,
					 post->request, post->status);
	int error = make_file(target, post->script, text);

	free(text);
	return error != 0 ? error : ftsan_remote_exec(target, &remote, keep_script);
}

static int send(const struct ftsan_target *target, const struct ftsan_delivery *delivery,
		const struct post *post, bool *keep_script)
{
	/* Another user's program is not run with our rights, whatever it says it is. */
	bool can = delivery->python != NULL || !is_foreign(target);
	bool only = delivery->way == FTSAN_WAY_REMOTE;
	int error;

	if (only && !can) {
		ftsan_error(
			"can't attach to %d by sys.remote_exec: its interpreter may be "
			"another user's program; --python names one to run",
			(int)target->pid);
		return -EPERM;
	}
	/* CPython runs scripts in its main thread. One that waits (for the others, for a
	 * request) does not come by, and ptrace finds it at a safe point at once. */
	if (!only && (delivery->way == FTSAN_WAY_PTRACE || !can ||
		      target->version < FIRST_REMOTE ||
		      ftsan_remote_main(target) != FTSAN_MAIN_BUSY))
		return by_ptrace(target, delivery, post);
	error = by_remote_exec(target, delivery, post, only, keep_script);
	if (error == 0)
		return 0;
	if (only)
		return remote_failed(target, error);
	return has_begun(post) ? 0 : by_ptrace(target, delivery, post);
}

int ftsan_deliver(const struct ftsan_target *target,
		  const struct ftsan_delivery *delivery, char **answer)
{
	bool keep_script = false;
	struct post post;
	int error = open_post(&post, target, delivery);

	*answer = NULL;
	if (error == 0)
		error = send(target, delivery, &post, &keep_script);
	if (error == 0)
		error = wait_for_answer(target, &post, 3 * delivery->seconds, answer);
	close_post(&post, keep_script);
	return error;
}
