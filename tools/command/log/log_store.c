#include "log/log_store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/common.h"

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

static const char pattern[] = "dddddddd-dddddd-"; /* then the pid */

static const char *chosen; /* by the project */

void ftsan_store_use(const char *directory)
{
	chosen = directory;
}

/* Absolute, as the specification of XDG_STATE_HOME asks; NULL: there is no home. */
static char *store_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (chosen != NULL)
		return ftsan_xstrdup(chosen);
	if (state != NULL && state[0] == '/')
		return ftsan_xprintf("%s/ftsan", state);
	if (home != NULL && home[0] == '/')
		return ftsan_xprintf("%s/.local/state/ftsan", home);
	return NULL;
}

static bool make_directories(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST) {
			*slash = '/';
			return false;
		}
		*slash = '/';
	}
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* "20261130-015500-4711" */
static bool is_run(const char *name)
{
	size_t i;

	for (i = 0; pattern[i] != '\0'; i++)
		if (pattern[i] == 'd' ? !isdigit((unsigned char)name[i]) : name[i] != '-')
			return false;
	return isdigit((unsigned char)name[i]) &&
	       name[i + strspn(name + i, "0123456789")] == '\0';
}

static int only_runs(const struct dirent *entry)
{
	return is_run(entry->d_name);
}

/* The names of all runs, the latest last: theirs begin with the time. */
static int list_runs(const char *store, struct dirent ***runs)
{
	int n = scandir(store, runs, only_runs, alphasort);

	return n < 0 ? 0 : n;
}

static void free_runs(struct dirent **runs, int n)
{
	for (int i = 0; i < n; i++)
		free(runs[i]);
	free(runs);
}

/* Logs and a report are all that we put there; a directory with more in it stays. */
static void remove_run(int store, const char *name)
{
	int fd = openat(store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (directory == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(directory)) != NULL)
		if (strncmp(entry->d_name, "log.jsonl", strlen("log.jsonl")) == 0 ||
		    strcmp(entry->d_name, "report.html") == 0)
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	unlinkat(store, name, AT_REMOVEDIR);
}

static void remove_old(const char *path)
{
	int store = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **runs = NULL;
	int n = list_runs(path, &runs);
	time_t now = time(NULL);
	struct stat status;

	for (int i = 0; store >= 0 && i < n; i++) {
		time_t age;

		if (fstatat(store, runs[i]->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		age = now - status.st_mtime;
		if (age > (time_t)FTSAN_STORE_DAYS * DAY_S ||
		    (n - i > FTSAN_STORE_RUNS && age > HOUR_S))
			remove_run(store, runs[i]->d_name);
	}
	free_runs(runs, n);
	if (store >= 0)
		close(store);
}

char *ftsan_store_new(void)
{
	char *store = store_path(), *run;
	char stamp[32];
	time_t now = time(NULL);
	struct tm parts;

	if (store == NULL)
		return NULL;
	if (!make_directories(store) || gmtime_r(&now, &parts) == NULL ||
	    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &parts) == 0) {
		free(store);
		return NULL;
	}
	remove_old(store);
	run = ftsan_xprintf("%s/%s-%d", store, stamp, (int)getpid());
	free(store);
	if (mkdir(run, 0700) == 0)
		return run;
	free(run);
	return NULL;
}

static int only_logs(const struct dirent *entry)
{
	return strncmp(entry->d_name, "log.jsonl", strlen("log.jsonl")) == 0;
}

static char **logs_of(const char *store, const char *run)
{
	char *directory = ftsan_xprintf("%s/%s", store, run), **logs = NULL;
	struct dirent **names = NULL;
	int n = scandir(directory, &names, only_logs, alphasort);

	if (n > 0)
		logs = ftsan_xcalloc((size_t)n + 1, sizeof(*logs));
	for (int i = 0; i < n; i++)
		logs[i] = ftsan_xprintf("%s/%s", directory, names[i]->d_name);
	free_runs(names, n);
	free(directory);
	return logs;
}

char **ftsan_store_last(void)
{
	char *store = store_path(), **logs = NULL;
	struct dirent **runs = NULL;
	int n = store != NULL ? list_runs(store, &runs) : 0;

	for (int i = n; logs == NULL && i-- > 0;)
		logs = logs_of(store, runs[i]->d_name);
	free_runs(runs, n);
	free(store);
	return logs;
}
