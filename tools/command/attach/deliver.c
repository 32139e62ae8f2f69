#include "attach/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/inject.h"
#include "common/common.h"

enum { POLL_US = 5000, FIRST_REMOTE = 0x030e0000, REMOTE_SECONDS = 5 };
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
static bool has_begun(const struct post *post)
{
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

/* As a Python string; the names are ours but for the library's. */
static char *quoted(const char *text)
{
	char *out = ftsan_xcalloc(strlen(text) * 4 + 3, 1), *at = out;

	*at++ = '"';
	for (; *text != '\0'; text++)
		at += sprintf(at, "\\x%02x", (unsigned char)*text);
	*at = '"';
	return out;
}

static char *script_text(const struct ftsan_delivery *delivery, const struct post *post)
{
	char *library = quoted(delivery->library), *request = quoted(post->request);
	char *status = quoted(post->status);
	char *text = ftsan_xprintf("def ftsan():\n"
				   "    import os\n"
				   "    try:\n"
				   "        import ctypes\n"
				   "        ctypes.CDLL(os.fsdecode(b%s)).%s(b%s)\n"
				   "    except BaseException as error:\n"
				   "        with open(b%s, 'a') as status:\n"
				   "            status.write(f'failed: {error!r}\\n')\n"
				   "ftsan()\n"
				   "del ftsan\n",
				   library, delivery->function, request, status);

	free(library);
	free(request);
	free(status);
	return text;
}

/* Runs "PYTHON -I -c 'sys.remote_exec(PID, SCRIPT)'"; its exit status. */
static int call_remote_exec(const struct ftsan_target *target, const char *python,
			    const char *script)
{
	char pid[16];
	int status;
	pid_t child;

	snprintf(pid, sizeof(pid), "%d", (int)target->pid);
	child = fork();
	if (child == 0) {
		execl(python, python, "-I", "-c",
		      "import sys; sys.remote_exec(int(sys.argv[1]), sys.argv[2])", pid,
		      script, (char *)NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int by_remote_exec(const struct ftsan_target *target,
			  const struct ftsan_delivery *delivery, const struct post *post)
{
	const char *python = delivery->python != NULL ? delivery->python : target->exe;
	char *text = script_text(delivery, post);
	int error = make_file(target, post->script, text);

	free(text);
	if (error == 0 && call_remote_exec(target, python, post->script) != 0)
		error = -ENOTSUP;
	for (unsigned i = 0; error == 0 && i < REMOTE_SECONDS * (1000000 / POLL_US);
	     i++) {
		if (has_begun(post))
			return 0;
		if (ftsan_target_ended(target))
			break;
		usleep(POLL_US);
	}
	/* Whoever reads it from here on finds nothing to do. */
	if (truncate(post->script, 0) != 0 && error == 0)
		error = -errno;
	return error != 0 ? error : -ETIMEDOUT;
}

/* CPython runs scripts in its main thread, which may be waiting for the others. */
static int send(const struct ftsan_target *target, const struct ftsan_delivery *delivery,
		const struct post *post, bool *keep_script)
{
	/* Another user's program is not run with our rights, whatever it says it is. */
	bool can = delivery->python != NULL || !is_foreign(target);
	bool remote = delivery->way == FTSAN_WAY_REMOTE ||
		      (delivery->way == FTSAN_WAY_AUTO && can &&
		       target->version >= FIRST_REMOTE);
	int error;

	if (!remote)
		return by_ptrace(target, delivery, post);
	if (!can) {
		ftsan_error(
			"can't attach to %d by sys.remote_exec: its interpreter may be "
			"another user's program; --python names one to run",
			(int)target->pid);
		return -EPERM;
	}
	error = by_remote_exec(target, delivery, post);
	if (error == 0)
		return 0;
	/* It may still be run, whenever the main thread comes by: then it must be there.
	 */
	*keep_script = error == -ETIMEDOUT;
	if (delivery->way == FTSAN_WAY_AUTO && !has_begun(post))
		return by_ptrace(target, delivery, post);
	ftsan_error("can't attach to %d by sys.remote_exec: %s", (int)target->pid,
		    error == -ETIMEDOUT ? "its main thread runs no Python code"
					: "it refuses (see above)");
	return error;
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
