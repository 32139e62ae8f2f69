/* ftsan run: the command under test, its findings as they occur, the sum at the end. */
#include "run/run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/common.h"
#include "launch/launch.h"
#include "live/live.h"
#include "run/github.h"
#include "run/timeout.h"

static const char help[] =
	"usage: ftsan run [OPTION...] [--] CMD ARGS...\n"
	"\n"
	"Runs CMD and its child processes with ftsan, tells on stderr of findings as "
	"they\n"
	"occur, and prints them and a summary at the end.\n"
	"\n"
	"  --log FILE     keep the log (JSON Lines) in FILE; other processes than the "
	"first\n"
	"                 write to FILE.PID; %p in FILE stands for the pid. Without "
	"this, the\n"
	"                 logs of the last runs are kept for `ftsan report`, in\n"
	"                 $XDG_STATE_HOME/ftsan or ~/.local/state/ftsan\n"
	"  --options K=V:K=V\n"
	"                 options, after those in FTSAN_OPTIONS; `ftsan options` lists "
	"them\n"
	"  --keep-gil     let modules switch the GIL on that ask for it\n"
	"  --suppressions FILE\n"
	"                 findings that FILE tells of are not printed and do not make "
	"the\n"
	"                 exit status 66; may be given several times\n"
	"  --gen-suppressions\n"
	"                 print lines for such a file, for the findings there are\n"
	"  --print-at-end say nothing of findings before CMD has ended\n"
	"  --progress     show how it goes, in a line that is updated, if stderr is a "
	"terminal\n"
	"  --no-findings  print the verdict and the summary only, unless CMD died of a "
	"signal\n"
	"  --timeout S    after S seconds without an end: a finding with the stacks of "
	"all\n"
	"                 threads, then SIGTERM, and SIGKILL 5 s later; exit status 124\n"
	"  --full-stacks  print every frame, those of CPython and pytest, too\n"
	"\n"
	"Exit status: that of CMD; 66 when CMD succeeded and there are findings; 67 "
	"when it\n"
	"succeeded and nothing was watched (blindcode=N changes it); 128+n when CMD died "
	"of\n"
	"signal n; 125 when ftsan failed, 126 when CMD can't be executed, "
	"127\n"
	"when it was not found.\n";

/**
 * struct request - the command line
 * @options:      owned, the rest borrowed
 * @suppressions: of the files named there, and in the options; owned
 */
struct request {
	const char *log;
	char *options;
	bool keep_gil;
	bool generate;
	bool print_at_end;
	bool full_stacks;
	bool progress;
	bool no_findings;
	bool help;
	unsigned timeout;
	char **command;
	struct ftsan_suppressions suppressions;
};

/* getopt has not moved past a group like -xy yet; the letter is all there is to say. */
static void complain_unknown(const char *argument)
{
	char letter[3] = {'-', (char)optopt, '\0'};

	ftsan_error(
		"run: unknown option %s; options of the command to run come after it; "
		"see ftsan run --help",
		strncmp(argument, "--", 2) == 0 ? argument : letter);
}

static int parse_seconds(const char *text, unsigned *seconds)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || text[0] == '-' || value == 0 ||
	    value > 1000000) {
		ftsan_error("run: --timeout takes seconds, 1 to 1000000, not %s", text);
		return -EINVAL;
	}
	*seconds = (unsigned)value;
	return 0;
}

static int parse_arguments(struct request *request, int argc, char **argv)
{
	static const struct option known[] = {
		{"log", required_argument, NULL, 'l'},
		{"options", required_argument, NULL, 'o'},
		{"keep-gil", no_argument, NULL, 'g'},
		{"suppressions", required_argument, NULL, 's'},
		{"gen-suppressions", no_argument, NULL, 'G'},
		{"print-at-end", no_argument, NULL, 'e'},
		{"full-stacks", no_argument, NULL, 'f'},
		{"progress", no_argument, NULL, 'p'},
		{"no-findings", no_argument, NULL, 'n'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int choice, error = 0;

	memset(request, 0, sizeof(*request));
	opterr = 0;
	optind = 1;
	while ((choice = getopt_long(argc, argv, "+:h", known, NULL)) != -1) {
		switch (choice) {
		case 'l':
			request->log = optarg;
			break;
		case 'o':
			ftsan_live_add_options(&request->options, optarg);
			break;
		case 'g':
			request->keep_gil = true;
			break;
		case 's':
			error |= ftsan_suppressions_read(&request->suppressions, optarg,
							 ftsan_today());
			break;
		case 'G':
			request->generate = true;
			break;
		case 'e':
			request->print_at_end = true;
			break;
		case 'f':
			request->full_stacks = true;
			break;
		case 'n':
			request->no_findings = true;
			break;
		case 'p':
			request->progress = true;
			break;
		case 't':
			if (parse_seconds(optarg, &request->timeout) != 0)
				return -EINVAL;
			break;
		case 'h':
			request->help = true;
			return 0;
		case ':':
			ftsan_error("run: %s needs a value; see ftsan run --help",
				    argv[optind - 1]);
			return -EINVAL;
		default:
			complain_unknown(argv[optind - 1]);
			return -EINVAL;
		}
	}
	request->command = argv + optind;
	return error != 0 ? -EINVAL : 0;
}

/* struct run - what a run works with */
struct run {
	struct ftsan_live live;
	struct ftsan_child child;
	char *unfit; /* why CMD runs without the library, or NULL */
};

static int exit_status(const struct run *run, int log_error)
{
	int status = ftsan_child_status(&run->child);

	if (status != 0)
		return status;
	if (log_error != 0)
		return FTSAN_EXIT_FAILED;
	return ftsan_live_status(&run->live);
}

static bool told_of_hang(const struct run *run)
{
	const struct ftsan_session *session = &run->live.session;

	for (size_t i = 0; i < session->n_found; i++)
		if (strcmp(session->found[i].kind, "hang") == 0)
			return true;
	return false;
}

/* "pytest", "python /venv/bin/py.test", "python -m pytest" */
static bool is_pytest(char *const *command)
{
	for (unsigned i = 0; command[i] != NULL && i < 8; i++) {
		const char *name = ftsan_str_base_name(command[i]);

		if ((i < 2 || strcmp(command[i - 1], "-m") == 0) &&
		    (strcmp(name, "pytest") == 0 || strcmp(name, "py.test") == 0))
			return true;
	}
	return false;
}

/* pytest did not understand its arguments, and has said so: no test was to run. */
static bool is_usage_error(const struct run *run, const struct request *request)
{
	enum { PYTEST_USAGE_ERROR = 4 };

	return WIFEXITED(run->child.wait_status) &&
	       WEXITSTATUS(run->child.wait_status) == PYTEST_USAGE_ERROR &&
	       is_pytest(request->command) && run->live.session.n_found == 0;
}

static int follow_child(struct run *run, const struct request *request)
{
	enum { POLL_MS = 100 };
	struct ftsan_progress progress;
	struct ftsan_timeout timeout;
	int status;
	const char *nothing = run->unfit != NULL	  ? run->unfit
			      : run->live.options.enabled ? "CMD ran no CPython"
							  : "enabled=0";

	ftsan_progress_begin(&progress, request->progress);
	ftsan_timeout_begin(&timeout, request->timeout);
	while (!ftsan_child_wait(&run->child, POLL_MS)) {
		ftsan_timeout_poll(&timeout, run->child.pid, told_of_hang(run));
		if (request->print_at_end && !progress.shown && request->timeout == 0)
			continue;
		if (request->print_at_end)
			run->live.session.on_finding = NULL;
		ftsan_follow_poll(&run->live.follow);
		ftsan_progress_update(&progress, &run->live.follow);
	}
	ftsan_progress_end(&progress);
	run->live.printer.no_findings =
		request->no_findings && WIFEXITED(run->child.wait_status);
	if (WIFSIGNALED(run->child.wait_status))
		ftsan_session_death(&run->live.session, run->child.pid,
				    WTERMSIG(run->child.wait_status));
	run->live.session.on_finding = NULL;
	ftsan_follow_poll(&run->live.follow);
	run->live.printer.silent = is_usage_error(run, request);
	/* What processes left behind wrote so far; they are not waited for. */
	status = exit_status(run, ftsan_live_finish(&run->live, nothing));
	return ftsan_timeout_hit(&timeout) ? FTSAN_EXIT_TIMEOUT : status;
}

/* Where the suppressions are collected, until everything else was printed. */
struct generated {
	char *text;
	size_t length;
};

static void print_generated(struct ftsan_printer *printer, struct generated *generated)
{
	if (printer->generated == NULL)
		return;
	if (fclose(printer->generated) == 0 && generated->length > 0)
		ftsan_write_report(generated->text, generated->length);
	free(generated->text);
}

/* Prints what the command does until it ends; its exit status. */
static int watch(struct run *run, const struct request *request)
{
	struct ftsan_printer *printer = &run->live.printer;
	struct generated generated = {.length = 0};
	int status;

	printer->full_stacks = request->full_stacks;
	if (request->generate)
		printer->generated = open_memstream(&generated.text, &generated.length);
	ftsan_live_begin(&run->live);
	status = follow_child(run, request);
	print_generated(printer, &generated);
	ftsan_github_report(&run->live);
	ftsan_live_end(&run->live);
	return status;
}

static int run_with_log(struct run *run, const struct request *request)
{
	int status, error;

	if (ftsan_environment_make(&run->live.environment, request->options,
				   run->live.log.path, request->keep_gil,
				   run->live.options.suppressions) != 0)
		return FTSAN_EXIT_FAILED;
	run->unfit = ftsan_environment_fit(&run->live.environment, request->command[0]);
	if (run->unfit != NULL)
		ftsan_error("%s: %s; it runs without ftsan", request->command[0],
			    run->unfit);
	error = ftsan_child_start(&run->child, request->command, &run->live.environment);
	if (error != 0)
		status = ftsan_child_not_started(&run->child, request->command[0], error);
	else
		status = watch(run, request);
	ftsan_environment_release(&run->live.environment);
	free(run->unfit);
	return status;
}

static int run_request(struct request *request)
{
	struct run *run = ftsan_xcalloc(1, sizeof(*run));
	struct ftsan_live *live = &run->live;
	const char *log = request->log;
	int status = FTSAN_EXIT_FAILED;

	if (ftsan_project_apply() != 0)
		goto out;
	ftsan_store_use(ftsan_project_logs());
	if (ftsan_options_gather(&live->options, request->options) != 0)
		goto out;
	if (live->options.help) {
		status = ftsan_print_options();
		goto out;
	}
	if (request->command[0] == NULL) {
		ftsan_error("run: no command to run; see ftsan run --help");
		goto out;
	}
	if (ftsan_live_suppressions(live, &request->suppressions) != 0)
		goto out;
	if (log == NULL)
		log = live->options.log;
	if (ftsan_log_file_open_stored(&live->log, log) != 0)
		goto out;
	status = run_with_log(run, request);
	ftsan_log_file_close(&live->log, live->session.n_shown > 0);
	ftsan_session_release(&live->session);
out:
	free(run);
	return status;
}

int ftsan_command_run(int argc, char **argv)
{
	struct request request;
	int status = FTSAN_EXIT_FAILED;

	if (parse_arguments(&request, argc, argv) == 0) {
		if (request.help) {
			fputs(help, stdout);
			status = 0;
		} else {
			status = run_request(&request);
		}
	}
	free(request.options);
	ftsan_suppressions_release(&request.suppressions);
	return status;
}
