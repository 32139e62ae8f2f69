#include "run/github.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/common.h"

/* ftsan report --format F LOG..., by this command; @fd: where to. */
static void report(const struct ftsan_live *live, const char *format, int fd)
{
	static char *const fixed[] = {"ftsan", "report", "--format"};
	enum { FIXED = 3 };
	const struct ftsan_follow *follow = &live->follow;
	char **argv = ftsan_xcalloc(FIXED + follow->n_files + 2, sizeof(*argv));
	posix_spawn_file_actions_t actions;
	size_t n = 0;
	pid_t pid;
	int error;

	for (; n < FIXED; n++)
		argv[n] = fixed[n];
	argv[n++] = (char *)format;
	for (size_t i = 0; i < follow->n_files; i++)
		argv[n++] = ftsan_xprintf("%s/%s", live->log.directory,
					  follow->files[i].name);
	posix_spawn_file_actions_init(&actions);
	if (fd != STDOUT_FILENO)
		posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	error = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
	if (error != 0)
		ftsan_error("no %s for GitHub: %s", format, strerror(error));
	else
		(void)waitpid(pid, NULL, 0);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = FIXED + 1; i < n; i++)
		free(argv[i]);
	free(argv);
}

static bool is(const char *name, const char *value)
{
	const char *text = getenv(name);

	return text != NULL && strcmp(text, value) == 0;
}

void ftsan_github_report(const struct ftsan_live *live)
{
	const char *summary = getenv("GITHUB_STEP_SUMMARY");
	int fd;

	if (!is("GITHUB_ACTIONS", "true") || getenv("FTSAN_RUN_ID") != NULL ||
	    live->session.n_processes == 0)
		return;
	report(live, "github", STDOUT_FILENO);
	if (summary == NULL || summary[0] == '\0')
		return;
	fd = open(summary, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		ftsan_error("%s: %s", summary, strerror(errno));
		return;
	}
	report(live, "markdown", fd);
	close(fd);
}
