#include "attach/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/common.h"

enum { LOOKS = 8, LOOK_US = 5000, POLL_US = 5000, POLLS_A_SECOND = 1000000 / POLL_US };
enum { PROGRESS_SECONDS = 2 };

/* The state of /proc/PID/task/PID/stat, which comes behind the name in parentheses. */
static char state_of(const struct ftsan_target *target)
{
	char path[FTSAN_PROC_PATH], text[512], name[64], *end;
	FILE *file;
	size_t n;

	snprintf(name, sizeof(name), "task/%d/stat", (int)target->pid);
	file = fopen(ftsan_proc_path(target, name, path), "re");
	if (file == NULL)
		return 'R';
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	end = strrchr(text, ')');
	return end != NULL && end[1] == ' ' ? end[2] : 'R';
}

enum ftsan_main ftsan_remote_main(const struct ftsan_target *target)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		char state = state_of(target);

		if (state == 'T' || state == 't')
			return FTSAN_MAIN_STOPPED;
		if (state != 'S' && state != 'D')
			return FTSAN_MAIN_BUSY;
		usleep(LOOK_US);
	}
	return FTSAN_MAIN_WAITS;
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

char *ftsan_remote_script(const char *library, const char *function, const char *request,
			  const char *status)
{
	char *at_library = quoted(library), *at_request = quoted(request);
	char *at_status = quoted(status);
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
				   at_library, function, at_request, at_status);

	free(at_library);
	free(at_request);
	free(at_status);
	return text;
}

/* Runs "PYTHON -I -c 'sys.remote_exec(PID, SCRIPT)'"; its exit status. */
static int call(const struct ftsan_target *target, const char *python, const char *script)
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

static bool wait_for_it(const struct ftsan_target *target,
			const struct ftsan_remote *remote)
{
	for (unsigned i = 0; i < remote->seconds * POLLS_A_SECOND; i++) {
		if (remote->begun(remote->post))
			return true;
		if (ftsan_target_ended(target))
			break;
		if (i == PROGRESS_SECONDS * POLLS_A_SECOND)
			ftsan_error("waiting for the main thread of process %d to come "
				    "by",
				    (int)target->pid);
		usleep(POLL_US);
	}
	return remote->begun(remote->post);
}

int ftsan_remote_exec(const struct ftsan_target *target,
		      const struct ftsan_remote *remote, bool *keep)
{
	if (call(target, remote->python, remote->script) != 0)
		return -ENOTSUP;
	if (wait_for_it(target, remote))
		return 0;
	/* There is room for one request: this one takes the first one's place. */
	if (!ftsan_target_ended(target) && call(target, remote->python, "/dev/null") != 0)
		*keep = truncate(remote->script, 0) == 0;
	return remote->begun(remote->post) ? 0 : -ETIMEDOUT;
}
