/* ftsan attach, ftsan detach: a program that runs already. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/annot.h"
#include "commands.h"
#include "deliver.h"
#include "environment.h"
#include "follow.h"
#include "log_file.h"
#include "message.h"
#include "printer.h"
#include "summary.h"
#include "symbolize.h"
#include "xmemory.h"

static const char attach_help[] =
	"usage: ftsan attach [OPTION...] PID\n"
	"\n"
	"Watches a CPython process that runs already, and prints findings on stderr as "
	"they\n"
	"occur. Ctrl-C ends it: ftsan leaves the process as it was, and prints a "
	"summary.\n"
	"Arrays that are older than the attach are not guarded.\n"
	"\n"
	"  --log FILE     keep the log (JSON Lines) in FILE\n"
	"  --options K=V:K=V\n"
	"                 options; `ftsan options` lists them\n"
	"  --duration SECONDS\n"
	"                 detach after that time\n"
	"  --keep         return at once and stay attached; `ftsan detach PID` ends it\n"
	"  --suppressions FILE\n"
	"                 findings that FILE tells of are not printed and do not make "
	"the\n"
	"                 exit status 66; may be given several times\n"
	"  --by ptrace|remote\n"
	"                 how to get in: by ptrace, or by sys.remote_exec (CPython 3.14 "
	"and\n"
	"                 later, the default there)\n"
	"  --python FILE  the interpreter that calls sys.remote_exec; default: the "
	"process's,\n"
	"                 if that is no other user's\n"
	"  --timeout SECONDS\n"
	"                 how long to look for a thread at a safe point (default 10)\n"
	"\n"
	"Exit status: 0; 66 when there are findings; 125 when ftsan could not attach.\n";

static const char detach_help[] =
	"usage: ftsan detach [--by ptrace|remote] [--python FILE] [--timeout SECONDS] "
	"PID\n"
	"\n"
	"Leaves a process that was attached to, and is still watched, as it was before:\n"
	"imports, tables of functions, signal handlers. What frees guarded arrays stays "
	"until\n"
	"the last of them is gone. Exit status: 0; 125 when that failed.\n";

/**
 * struct request - the command line
 * @name:     "attach", "detach"
 * @options:  owned, the rest borrowed
 * @duration: seconds, < 0: no end
 */
struct request {
	const char *name;
	bool attach;
	const char *log, *python;
	char *options;
	double duration;
	unsigned timeout;
	enum ftsan_way way;
	bool keep, help;
	pid_t pid;
	struct ftsan_suppressions suppressions;
};

/* --- the command line ------------------------------------------------------------- */

static void add_options(struct request *request, const char *more)
{
	char *all = request->options != NULL
			    ? ftsan_xprintf("%s:%s", request->options, more)
			    : ftsan_xstrdup(more);

	free(request->options);
	request->options = all;
}

static int take_number(const struct request *request, const char *text, double *to)
{
	char *end;

	*to = strtod(text, &end);
	if (*text != '\0' && *end == '\0' && *to >= 0 && *to < 1e9)
		return 0;
	ftsan_error("%s: %s is no number of seconds", request->name, text);
	return -EINVAL;
}

static int take_way(struct request *request, const char *text)
{
	if (strcmp(text, "ptrace") == 0)
		request->way = FTSAN_WAY_PTRACE;
	else if (strcmp(text, "remote") == 0)
		request->way = FTSAN_WAY_REMOTE;
	else {
		ftsan_error("%s: --by takes ptrace or remote", request->name);
		return -EINVAL;
	}
	return 0;
}

static int take_pid(struct request *request, char *const *arguments)
{
	char *end;
	long pid;

	if (arguments[0] == NULL || arguments[1] != NULL) {
		ftsan_error("%s: which process? One PID, after the options",
			    request->name);
		return -EINVAL;
	}
	errno = 0;
	pid = strtol(arguments[0], &end, 10);
	if (errno != 0 || *end != '\0' || end == arguments[0] || pid <= 0 ||
	    pid > 0x7fffffff) {
		ftsan_error("%s: %s is no process id", request->name, arguments[0]);
		return -EINVAL;
	}
	request->pid = (pid_t)pid;
	return 0;
}

static int take_option(struct request *request, int choice)
{
	double seconds;
	int error;

	switch (choice) {
	case 'l':
		request->log = optarg;
		return 0;
	case 'o':
		add_options(request, optarg);
		return 0;
	case 'd':
		return take_number(request, optarg, &request->duration);
	case 'k':
		request->keep = true;
		return 0;
	case 's':
		return ftsan_suppressions_read(&request->suppressions, optarg,
					       ftsan_today());
	case 'b':
		return take_way(request, optarg);
	case 'p':
		request->python = optarg;
		return 0;
	case 't':
		error = take_number(request, optarg, &seconds);
		request->timeout = (unsigned)seconds + (seconds < 1);
		return error;
	}
	return -EINVAL;
}

static int parse_arguments(struct request *request, int argc, char **argv)
{
	static const struct option of_attach[] = {
		{"log", required_argument, NULL, 'l'},
		{"options", required_argument, NULL, 'o'},
		{"duration", required_argument, NULL, 'd'},
		{"keep", no_argument, NULL, 'k'},
		{"suppressions", required_argument, NULL, 's'},
		{"by", required_argument, NULL, 'b'},
		{"python", required_argument, NULL, 'p'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	/* The last five are detach's as well. */
	const struct option *known = request->attach ? of_attach : of_attach + 5;
	int choice;

	opterr = 0;
	optind = 1;
	while ((choice = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (choice == 'h') {
			request->help = true;
			return 0;
		}
		if (choice == '?' || choice == ':') {
			ftsan_error("%s: %s %s; see ftsan %s --help", request->name,
				    choice == '?' ? "unknown option" : "no value for",
				    argv[optind - 1], request->name);
			return -EINVAL;
		}
		if (take_option(request, choice) != 0)
			return -EINVAL;
	}
	return take_pid(request, argv + optind);
}

/* --- following ---------------------------------------------------------------------- */

/* struct watch - what an attach works with */
struct watch {
	struct request *request;
	struct ftsan_target target;
	struct ftsan_delivery delivery;
	struct ftsan_options options;
	struct ftsan_log_file log;
	struct ftsan_environment environment;
	struct ftsan_session session;
	struct ftsan_follow follow;
	struct ftsan_printer printer;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	interrupted = number;
}

/* A second Ctrl-C ends the command, if the process does not let go. */
static void catch_interrupts(void)
{
	const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_interrupt,
				   .sa_flags = (int)SA_RESETHAND};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(numbers); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Until somebody ends it, or the process does; has it? */
static bool follow(struct watch *watch)
{
	double end = seconds_now() + watch->request->duration;

	while (!interrupted && !ftsan_target_ended(&watch->target) &&
	       (watch->request->duration < 0 || seconds_now() < end)) {
		struct timespec pause = {.tv_nsec = 100000000};

		ftsan_follow_poll(&watch->follow);
		nanosleep(&pause, NULL);
	}
	return ftsan_target_ended(&watch->target);
}

static int deliver(struct watch *watch, const char *function)
{
	char *answer;
	int error;

	watch->delivery.function = function;
	error = ftsan_deliver(&watch->target, &watch->delivery, &answer);
	if (error == 0)
		ftsan_error("%s process %d%s%s",
			    strcmp(function, "ftsan_attach") == 0 ? "attached to"
								  : "detached from",
			    (int)watch->target.pid, answer[0] != '\0' ? ": " : "",
			    answer);
	free(answer);
	return error;
}

static int finish(struct watch *watch, bool ended)
{
	struct ftsan_summary summary = {.nothing = "the process wrote no log"};
	int error = ended ? 0 : deliver(watch, "ftsan_detach");
	int log_error;

	if (ftsan_target_ended(&watch->target))
		error = 0;
	ftsan_follow_poll(&watch->follow);
	log_error = ftsan_follow_finish(&watch->follow, &summary.torn_files);
	summary.mismatches = ftsan_symbolizer_mismatches(watch->printer.symbolizer);
	summary.suppressions = watch->printer.suppressions;
	if (!watch->log.temporary || watch->session.n_shown > 0)
		summary.log_path = watch->log.path;
	ftsan_summary_print(&watch->session, &summary);
	if (error != 0 || log_error != 0)
		return FTSAN_EXIT_FAILED;
	return watch->session.n_shown > 0 ? (int)watch->options.exitcode : 0;
}

static int watch_process(struct watch *watch)
{
	static const struct ftsan_symbolizer_options where_they_are;
	int status;

	watch->printer.symbolizer = ftsan_symbolizer_open(&where_they_are);
	watch->printer.suppressions = &watch->request->suppressions;
	watch->session.run = watch->environment.run_id;
	watch->session.on_finding = ftsan_print_finding;
	if (watch->printer.suppressions->n > 0)
		ftsan_printer_judges(&watch->session);
	watch->session.argument = &watch->printer;
	ftsan_follow_init(&watch->follow, &watch->log, &watch->session);
	catch_interrupts();
	status = deliver(watch, "ftsan_attach") == 0 ? finish(watch, follow(watch))
						     : FTSAN_EXIT_FAILED;
	ftsan_follow_release(&watch->follow);
	ftsan_symbolizer_close(watch->printer.symbolizer);
	return status;
}

static int attach_and_keep(struct watch *watch)
{
	if (deliver(watch, "ftsan_attach") != 0)
		return FTSAN_EXIT_FAILED;
	watch->log.temporary = false;
	ftsan_error("the log is %s; `ftsan detach %d` ends it", watch->log.path,
		    (int)watch->target.pid);
	return 0;
}

/* --- the two commands --------------------------------------------------------------- */

/* The process writes the log: when root attaches, it may be another user's. */
static int give_log_away(const struct watch *watch)
{
	const struct ftsan_target *target = &watch->target;

	if (geteuid() == target->uid || strstr(watch->log.path, "%p") != NULL)
		return 0;
	/* In that user's directory, a link may have taken the place of the file. */
	if (lchown(watch->log.path, target->uid, target->gid) != 0 ||
	    (watch->log.temporary &&
	     lchown(watch->log.directory, target->uid, target->gid) != 0)) {
		ftsan_error("%s: %s", watch->log.path, strerror(errno));
		return -errno;
	}
	return 0;
}

/* LD_PRELOAD's first entry is the library; no path with a colon gets there. */
static const char *library_of(struct ftsan_environment *environment)
{
	environment->preload[strcspn(environment->preload, ":")] = '\0';
	return environment->preload;
}

static int attach_with_log(struct watch *watch)
{
	int status = FTSAN_EXIT_FAILED;

	if (ftsan_environment_make(&watch->environment, watch->request->options,
				   watch->log.path, false, "") != 0)
		return status;
	watch->delivery.library = watch->target.library != NULL
					  ? watch->target.library
					  : library_of(&watch->environment);
	watch->delivery.options = watch->environment.options;
	watch->delivery.run = watch->environment.run_id;
	if (strchr(watch->delivery.options, '\n') != NULL)
		ftsan_error("attach: options can't have line breaks in them");
	else if (give_log_away(watch) == 0)
		status = watch->request->keep ? attach_and_keep(watch)
					      : watch_process(watch);
	ftsan_environment_release(&watch->environment);
	return status;
}

static int attach(struct watch *watch)
{
	struct request *request = watch->request;
	int status;

	if (ftsan_options_gather(&watch->options, request->options) != 0)
		return FTSAN_EXIT_FAILED;
	if (watch->options.suppressions[0] != '\0' &&
	    ftsan_suppressions_read(&request->suppressions, watch->options.suppressions,
				    ftsan_today()) != 0)
		return FTSAN_EXIT_FAILED;
	if (ftsan_log_file_open(&watch->log, request->log != NULL
						     ? request->log
						     : watch->options.log) != 0)
		return FTSAN_EXIT_FAILED;
	status = attach_with_log(watch);
	ftsan_log_file_close(&watch->log, watch->session.n_shown > 0);
	ftsan_session_release(&watch->session);
	return status;
}

static int detach(struct watch *watch)
{
	watch->delivery.library = watch->target.library;
	if (watch->target.library == NULL) {
		ftsan_error("process %d: ftsan is not attached to it",
			    (int)watch->target.pid);
		return FTSAN_EXIT_FAILED;
	}
	return deliver(watch, "ftsan_detach") == 0 ? 0 : FTSAN_EXIT_FAILED;
}

static int serve(struct request *request)
{
	struct watch *watch = ftsan_xcalloc(1, sizeof(*watch));
	int status = FTSAN_EXIT_FAILED;

	watch->request = request;
	if (ftsan_target_open(&watch->target, request->pid) == 0) {
		watch->delivery.way = request->way;
		watch->delivery.python = request->python;
		watch->delivery.seconds = request->timeout;
		status = request->attach ? attach(watch) : detach(watch);
		ftsan_target_close(&watch->target);
	}
	free(watch);
	return status;
}

static int run_command(struct request *request, const char *help, int argc, char **argv)
{
	int status = FTSAN_EXIT_FAILED;

	if (parse_arguments(request, argc, argv) == 0) {
		if (request->help) {
			fputs(help, stdout);
			status = 0;
		} else {
			status = serve(request);
		}
	}
	free(request->options);
	ftsan_suppressions_release(&request->suppressions);
	return status;
}

int ftsan_command_attach(int argc, char **argv)
{
	struct request request = {
		.name = "attach", .attach = true, .duration = -1, .timeout = 10};

	return run_command(&request, attach_help, argc, argv);
}

int ftsan_command_detach(int argc, char **argv)
{
	struct request request = {.name = "detach", .duration = -1, .timeout = 10};

	return run_command(&request, detach_help, argc, argv);
}
