#include "launch/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"
#include "launch/loadable.h"
#include "launch/preloadable.h"

/* Prints what was wrong in @source, a line each. */
static void print_errors(const char *source, struct ftsan_buf *errors)
{
	char *rest = NULL;
	char text[4096];
	char *line;

	snprintf(text, sizeof(text), "%s", ftsan_buf_cstr(errors));
	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		ftsan_error("%s: %s", source, line);
	ftsan_error("`ftsan options` prints the options there are");
}

static int parse(struct ftsan_options *options, const char *text, const char *source)
{
	char storage[4096];
	struct ftsan_buf errors;

	ftsan_buf_init(&errors, storage, sizeof(storage));
	if (ftsan_options_parse(options, text, &errors) == 0)
		return 0;
	print_errors(source, &errors);
	return -EINVAL;
}

int ftsan_options_gather(struct ftsan_options *options, const char *user)
{
	struct ftsan_options defaults;

	ftsan_options_init(options);
	ftsan_options_init(&defaults);
	if (parse(options, getenv("FTSAN_OPTIONS"), "FTSAN_OPTIONS") != 0)
		return -EINVAL;
	if (getenv("FTSAN_RUN_ID") != NULL) {
		memcpy(options->log, defaults.log, sizeof(options->log));
		options->exitcode = defaults.exitcode;
	}
	return parse(options, user, "--options");
}

/* The directory of this executable, without a slash at the end; malloc'ed. */
static char *own_directory(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (length < 0)
		return NULL;
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	return ftsan_xstrdup(path);
}

/*
 * The build directory has the library next to the command, an installation in
 * FTSAN_LIBDIR (seen from the command); the rest is for trees that were moved.
 */
static char *find_library(void)
{
	static const char *const places[] = {
		"libftsan.so",
		FTSAN_LIBDIR "/ftsan/libftsan.so",
		FTSAN_LIBDIR "/libftsan.so",
		"../lib/ftsan/libftsan.so",
		"../lib/libftsan.so",
		"../lib/" FTSAN_CPU_TRIPLE "/ftsan/libftsan.so",
		"../lib/" FTSAN_CPU_TRIPLE "/libftsan.so",
		"../lib64/ftsan/libftsan.so",
		"../lib64/libftsan.so",
	};
	char *directory = own_directory();
	char *path = NULL;

	for (size_t i = 0; directory != NULL && i < FTSAN_ARRAY_LEN(places); i++) {
		path = ftsan_xprintf("%s/%s", directory, places[i]);
		if (access(path, R_OK) == 0)
			break;
		free(path);
		path = NULL;
	}
	if (path == NULL)
		ftsan_error("libftsan.so is not next to the command (%s), nor in %s/%s; "
			    "FTSAN_LIBRARY can name it",
			    directory != NULL ? directory : "?",
			    directory != NULL ? directory : "?", FTSAN_LIBDIR);
	free(directory);
	return path;
}

static char *named_library(const char *name)
{
	char *path = realpath(name, NULL);

	if (path == NULL || access(path, R_OK) != 0) {
		ftsan_error("FTSAN_LIBRARY: %s: %s", name, strerror(errno));
		free(path);
		return NULL;
	}
	return path;
}

char *ftsan_library_path(void)
{
	const char *named = getenv("FTSAN_LIBRARY");

	return named != NULL && named[0] != '\0' ? named_library(named) : find_library();
}

static int make_preload(struct ftsan_environment *environment)
{
	const char *inherited = getenv("LD_PRELOAD");
	char *name;

	environment->library = ftsan_library_path();
	name = environment->library != NULL ? ftsan_preloadable(environment->library)
					    : NULL;
	if (name == NULL)
		return -ENOENT;
	if (inherited != NULL && inherited[0] != '\0')
		environment->preload = ftsan_xprintf("%s:%s", name, inherited);
	else
		environment->preload = ftsan_xstrdup(name);
	free(name);
	return 0;
}

/* "suppressions=ABSOLUTE:" for what inner runs inherit; "" when they need nothing. */
static char *absolute_suppressions(const char *path)
{
	char *absolute = path[0] != '\0' && path[0] != '/' ? realpath(path, NULL) : NULL;
	char *entry;

	/* What can't be quoted stays as the user wrote it. */
	if (absolute == NULL || strchr(absolute, '\'') != NULL ||
	    strlen(absolute) >= FTSAN_OPTION_STRING_MAX)
		entry = ftsan_xstrdup("");
	else
		entry = ftsan_xprintf("suppressions='%s':", absolute);
	free(absolute);
	return entry;
}

static int make_options(struct ftsan_environment *environment, const char *user,
			const char *log, bool keep_gil, const char *suppressions)
{
	const char *inherited = getenv("FTSAN_OPTIONS");
	char quote = strchr(log, '\'') == NULL ? '\'' : '"';
	char *more;

	if (strchr(log, quote) != NULL) {
		ftsan_error("%s: a log's name can't hold both kinds of quotes", log);
		return -EINVAL;
	}
	if (strlen(log) >= FTSAN_OPTION_STRING_MAX) {
		ftsan_error("%s: the log's name is too long", log);
		return -EINVAL;
	}
	/* What comes later wins: findings are ours to print and to exit by. */
	more = absolute_suppressions(suppressions);
	environment->options = ftsan_xprintf(
		"%s%s%s%s%s%sprint=0:exitcode=0:log=%c%s%c",
		inherited != NULL ? inherited : "", inherited != NULL ? ":" : "",
		user != NULL ? user : "", user != NULL ? ":" : "",
		keep_gil ? "keep_gil=1:" : "", more, quote, log, quote);
	free(more);
	return 0;
}

static char *make_run_id(void)
{
	uint64_t words[2];
	struct timespec now;

	if (getrandom(words, sizeof(words), GRND_NONBLOCK) != (ssize_t)sizeof(words)) {
		clock_gettime(CLOCK_REALTIME, &now);
		words[0] = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
		words[1] = (uint64_t)getpid();
	}
	return ftsan_xprintf("%016llx%016llx", (unsigned long long)words[0],
			     (unsigned long long)words[1]);
}

int ftsan_environment_make(struct ftsan_environment *environment, const char *user,
			   const char *log, bool keep_gil, const char *suppressions)
{
	int error;

	memset(environment, 0, sizeof(*environment));
	error = make_preload(environment);
	if (error == 0)
		error = make_options(environment, user, log, keep_gil, suppressions);
	if (error != 0) {
		ftsan_environment_release(environment);
		return error;
	}
	environment->run_id = make_run_id();
	return 0;
}

char *ftsan_environment_fit(struct ftsan_environment *environment, const char *command)
{
	const char *inherited = getenv("LD_PRELOAD");
	char *reason = NULL;

	if (!ftsan_loadable(command, environment->library, &reason)) {
		free(environment->preload);
		environment->preload = ftsan_xstrdup(inherited != NULL ? inherited : "");
	}
	return reason;
}

void ftsan_environment_release(struct ftsan_environment *environment)
{
	free(environment->library);
	free(environment->preload);
	free(environment->options);
	free(environment->run_id);
	memset(environment, 0, sizeof(*environment));
}

int ftsan_environment_apply(const struct ftsan_environment *environment)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (setenv("LD_PRELOAD", environment->preload, 1) != 0 ||
	    setenv("FTSAN_OPTIONS", environment->options, 1) != 0 ||
	    setenv("FTSAN_RUN_ID", environment->run_id, 1) != 0 ||
	    setenv("FTSAN_ROOT_PID", pid, 1) != 0)
		return -errno;
	return 0;
}

int ftsan_print_options(void)
{
	static char storage[1 << 16];
	struct ftsan_buf table;

	ftsan_buf_init(&table, storage, sizeof(storage));
	ftsan_options_help(&table);
	fputs("Options, as KEY=VALUE:KEY=VALUE in FTSAN_OPTIONS or after --options:\n",
	      stdout);
	fwrite(table.text, 1, table.length, stdout);
	return ftsan_flush_stdout();
}
