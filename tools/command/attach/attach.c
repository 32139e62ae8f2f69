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
#include "common/clock.h"
#include "common/commands.h"
#include "attach/deliver.h"
#include "run/live.h"
#include "common/message.h"
#include "common/xmemory.h"

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
		ftsan_live_add_options(&request->options, optarg);
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

/* struct work - what an attach works with */
struct work {
	struct request *request;
	struct ftsan_target target;
	struct ftsan_delivery delivery;
	struct ftsan_live live;
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

/* Until somebody ends it, or the process does; has it? */
static bool follow(struct work *work)
{
	double end = ftsan_seconds() + work->request->duration;

	while (!interrupted && !ftsan_target_ended(&work->target) &&
	       (work->request->duration < 0 || ftsan_seconds() < end)) {
		struct timespec pause = {.tv_nsec = 100000000};

		ftsan_follow_poll(&work->live.follow);
		nanosleep(&pause, NULL);
	}
	return ftsan_target_ended(&work->target);
}

static int deliver(struct work *work, const char *function)
{
	char *answer;
	int error;

	work->delivery.function = function;
	error = ftsan_deliver(&work->target, &work->delivery, &answer);
	if (error == 0)
		ftsan_error("%s process %d%s%s",
			    strcmp(function, "ftsan_attach") == 0 ? "attached to"
								  : "detached from",
			    (int)work->target.pid, answer[0] != '\0' ? ": " : "", answer);
	free(answer);
	return error;
}

static int finish(struct work *work, bool ended)
{
	int error = ended ? 0 : deliver(work, "ftsan_detach");

	if (ftsan_target_ended(&work->target))
		error = 0;
	if (ftsan_live_finish(&work->live, "the process wrote no log") != 0 || error != 0)
		return FTSAN_EXIT_FAILED;
	return ftsan_live_status(&work->live);
}

static int watch_process(struct work *work)
{
	int status;

	ftsan_live_begin(&work->live);
	catch_interrupts();
	status = deliver(work, "ftsan_attach") == 0 ? finish(work, follow(work))
						    : FTSAN_EXIT_FAILED;
	ftsan_live_end(&work->live);
	return status;
}

static int attach_and_keep(struct work *work)
{
	if (deliver(work, "ftsan_attach") != 0)
		return FTSAN_EXIT_FAILED;
	work->live.log.temporary = false;
	ftsan_error("the log is %s; `ftsan detach %d` ends it", work->live.log.path,
		    (int)work->target.pid);
	return 0;
}

/* --- the two commands --------------------------------------------------------------- */

/* The process writes the log: when root attaches, it may be another user's. */
static int give_log_away(const struct work *work)
{
	const struct ftsan_target *target = &work->target;

	if (geteuid() == target->uid || strstr(work->live.log.path, "%p") != NULL)
		return 0;
	/* In that user's directory, a link may have taken the place of the file. */
	if (lchown(work->live.log.path, target->uid, target->gid) != 0 ||
	    (work->live.log.temporary &&
	     lchown(work->live.log.directory, target->uid, target->gid) != 0)) {
		ftsan_error("%s: %s", work->live.log.path, strerror(errno));
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

static int attach_with_log(struct work *work)
{
	int status = FTSAN_EXIT_FAILED;

	if (ftsan_environment_make(&work->live.environment, work->request->options,
				   work->live.log.path, false, "") != 0)
		return status;
	work->delivery.library = work->target.library != NULL
					 ? work->target.library
					 : library_of(&work->live.environment);
	work->delivery.options = work->live.environment.options;
	work->delivery.run = work->live.environment.run_id;
	if (strchr(work->delivery.options, '\n') != NULL)
		ftsan_error("attach: options can't have line breaks in them");
	else if (give_log_away(work) == 0)
		status =
			work->request->keep ? attach_and_keep(work) : watch_process(work);
	ftsan_environment_release(&work->live.environment);
	return status;
}

static int attach(struct work *work)
{
	struct request *request = work->request;
	int status;

	if (ftsan_options_gather(&work->live.options, request->options) != 0)
		return FTSAN_EXIT_FAILED;
	if (ftsan_live_suppressions(&work->live, &request->suppressions) != 0)
		return FTSAN_EXIT_FAILED;
	if (ftsan_log_file_open(&work->live.log, request->log != NULL
							 ? request->log
							 : work->live.options.log) != 0)
		return FTSAN_EXIT_FAILED;
	status = attach_with_log(work);
	ftsan_log_file_close(&work->live.log, work->live.session.n_shown > 0);
	ftsan_session_release(&work->live.session);
	return status;
}

static int detach(struct work *work)
{
	work->delivery.library = work->target.library;
	if (work->target.library == NULL) {
		ftsan_error("process %d: ftsan is not attached to it",
			    (int)work->target.pid);
		return FTSAN_EXIT_FAILED;
	}
	return deliver(work, "ftsan_detach") == 0 ? 0 : FTSAN_EXIT_FAILED;
}

static int serve(struct request *request)
{
	struct work *work = ftsan_xcalloc(1, sizeof(*work));
	int status = FTSAN_EXIT_FAILED;

	work->request = request;
	if (ftsan_target_open(&work->target, request->pid) == 0) {
		work->delivery.way = request->way;
		work->delivery.python = request->python;
		work->delivery.seconds = request->timeout;
		status = request->attach ? attach(work) : detach(work);
		ftsan_target_close(&work->target);
	}
	free(work);
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
