/* Logs that were written earlier, merged, in one of several formats. */
#include "report/report.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/common.h"
#include "launch/launch.h"
#include "log/log.h"
#include "report/request.h"

/* struct reading - one log on its way into the session */
struct reading {
	struct ftsan_session *session;
	struct ftsan_source source;
};

static void hand_over(void *argument, const char *text, size_t length)
{
	struct reading *reading = argument;

	ftsan_session_line(reading->session, &reading->source, text, length);
}

/* Says what is wrong with a log that could be opened; false when it is useless. */
static bool tell_problems(const char *path, const struct ftsan_source *source,
			  const struct ftsan_input_end *end)
{
	if (end->problem[0] != '\0')
		ftsan_error("%s: %s; what came before is reported", path, end->problem);
	if (source->newer_lines > 0)
		ftsan_error("%s: %llu of its %llu lines were written by a later version "
			    "of ftsan, the first of what can't be read is line %llu",
			    path, (unsigned long long)source->newer_lines,
			    (unsigned long long)source->lines,
			    (unsigned long long)source->first_bad);
	if (source->bad_lines == source->lines && (source->lines > 0 || end->torn)) {
		ftsan_error("%s: not a log of ftsan", path);
		return false;
	}
	if (source->bad_lines > 0)
		ftsan_error("%s: %llu of its %llu lines are torn or not ftsan's, the "
			    "first is line %llu; the others are reported",
			    path, (unsigned long long)source->bad_lines,
			    (unsigned long long)source->lines,
			    (unsigned long long)source->first_bad);
	return end->problem[0] == '\0';
}

/* Return: 0; -EIO when it can't be read or not as a whole, and the reason was printed. */
static int read_log(struct ftsan_session *session, const char *path, unsigned *torn_files)
{
	struct reading reading = {.session = session};
	struct ftsan_input_end end;
	bool useful;
	int error;

	ftsan_source_init(&reading.source, true);
	error = ftsan_input_read(path, hand_over, &reading, &end);
	if (error == -EINVAL)
		ftsan_error("%s: not a file that could be read", path);
	else if (error != 0)
		ftsan_error("%s: %s", path, strerror(-error));
	if (error != 0)
		return -EIO;
	ftsan_source_finish(session, &reading.source);
	useful = tell_problems(path, &reading.source, &end);
	*torn_files += end.torn;
	return useful ? 0 : -EIO;
}

/* @usable: gets the number of logs that had something to report. */
static int read_logs(struct ftsan_report *report,
		     const struct ftsan_report_request *request, unsigned *usable)
{
	unsigned unused = 0;
	int error = 0, failed;

	for (char **log = request->logs; *log != NULL; log++) {
		uint64_t before = report->session->n_processes;

		failed = read_log(report->session, *log, &report->summary.torn_files);
		error |= failed;
		*usable += failed == 0 || report->session->n_processes > before;
	}
	for (size_t i = 0; i < request->baselines.n; i++)
		error |=
			read_log(report->baseline, request->baselines.values[i], &unused);
	return error;
}

static bool wants_colour(const struct ftsan_report_request *request)
{
	const char *no_color = getenv("NO_COLOR");

	if (strcmp(request->colour, "auto") != 0)
		return strcmp(request->colour, "always") == 0;
	return request->output == NULL && isatty(STDOUT_FILENO) &&
	       (no_color == NULL || no_color[0] == '\0');
}

/* An absolute path without a slash at its end; malloc'ed. */
static char *source_root(const struct ftsan_report_request *request)
{
	const char *workspace = getenv("GITHUB_WORKSPACE");
	const char *named = request->root;
	char *root;

	if (named == NULL)
		named = workspace != NULL && workspace[0] != '\0' ? workspace : ".";
	root = realpath(named, NULL);
	return root != NULL ? root : ftsan_xstrdup(named);
}

static int write_output(struct ftsan_report *report,
			const struct ftsan_report_request *request)
{
	struct ftsan_output output;

	if (ftsan_output_open(&output, request->output) != 0)
		return -EIO;
	report->out = output.out;
	ftsan_report_write(report, request->format);
	return ftsan_output_close(&output, "the report");
}

static void tell(void *unused, const char *sentence)
{
	(void)unused;
	ftsan_error("%s: not used", sentence);
}

static int exit_status(const struct ftsan_report *report,
		       const struct ftsan_report_request *request)
{
	enum ftsan_verdict verdict = ftsan_verdict_of(report->session);
	size_t n = report->baseline != NULL ? report->n_new : report->session->n_shown;

	if (report->baseline == NULL && !request->exit_code)
		return 0;
	if (n > 0)
		return FTSAN_EXIT_FINDINGS;
	return verdict == FTSAN_VERDICT_NOTHING_WATCHED ? FTSAN_EXIT_BLIND : 0;
}

static int make_report(struct ftsan_report *report,
		       const struct ftsan_report_request *request)
{
	unsigned usable = 0;
	int error = read_logs(report, request, &usable);

	if (usable == 0)
		return FTSAN_EXIT_FAILED;
	ftsan_report_compare(report);
	if (write_output(report, request) != 0)
		error = -EIO;
	ftsan_symbolizer_tell_mismatches(report->symbolizer, tell, NULL);
	return error != 0 ? FTSAN_EXIT_FAILED : exit_status(report, request);
}

static int report_request(struct ftsan_report_request *request)
{
	const struct ftsan_symbolizer_options where = {
		.sysroot = request->sysroot,
		.debug_dirs = request->debug_dirs.values,
		.n_debug_dirs = request->debug_dirs.n,
		.debuginfod = true,
	};
	struct ftsan_printer judge = {.suppressions = &request->suppressions};
	struct ftsan_session session = {.argument = &judge}, baseline = {.run = NULL};
	char *root = source_root(request), *directory = getcwd(NULL, 0);
	struct ftsan_report report = {
		.session = &session,
		.baseline = request->baselines.n > 0 ? &baseline : NULL,
		.suppressions = &request->suppressions,
		.root = root,
		.sysroot = request->sysroot,
		.directory = directory,
		.colour = wants_colour(request),
		.full_stacks = request->full_stacks,
		.no_summary = request->no_summary,
		.summary = {.nothing = "the logs tell of no process",
			    .stats = request->stats},
	};
	int status;

	report.symbolizer = judge.symbolizer = ftsan_symbolizer_open(&where);
	if (request->suppressions.n > 0)
		ftsan_printer_judges(&session);
	report.summary.suppressions = &request->suppressions;
	status = make_report(&report, request);
	ftsan_session_release(&session);
	ftsan_session_release(&baseline);
	ftsan_symbolizer_close(report.symbolizer);
	free(root);
	free(directory);
	return status;
}

/* Return: 0; -EINVAL and the reason was printed. */
static int check_request(struct ftsan_report_request *request)
{
	struct ftsan_options *options;
	int error;

	if (ftsan_project_apply() != 0)
		return -EINVAL;
	ftsan_store_use(ftsan_project_logs());
	if (request->logs[0] == NULL)
		request->logs = request->stored = ftsan_store_last();
	if (request->logs == NULL) {
		ftsan_error("report: no log to read, and no run that kept one; see ftsan "
			    "report --help");
		return -EINVAL;
	}
	options = ftsan_xcalloc(1, sizeof(*options));
	error = ftsan_options_gather(options, NULL);
	if (error == 0 && options->suppressions[0] != '\0')
		error = ftsan_suppressions_read(&request->suppressions,
						options->suppressions, ftsan_today());
	free(options);
	return error;
}

/* Shows a file with what the desktop opens such files with. */
static int show(const char *path)
{
	char *const argv[] = {"xdg-open", (char *)path, NULL};
	pid_t pid;
	int error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), status = 0;

	if (error == 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0)
		return 0;
	ftsan_error("%s: the report is there, but nothing opens it (xdg-open: %s)", path,
		    error != 0 ? strerror(error) : "failed");
	return FTSAN_EXIT_FAILED;
}

/* Where it can stay while the browser reads it: beside a log of the store, or in a
 * directory of its own. */
static char *browser_path(const struct ftsan_report_request *request)
{
	const char *base = getenv("TMPDIR");
	char *directory, *path;

	if (request->stored != NULL)
		return ftsan_xprintf(
			"%.*s/report.html",
			(int)(strrchr(request->stored[0], '/') - request->stored[0]),
			request->stored[0]);
	directory = ftsan_xprintf("%s/ftsan-report-XXXXXX",
				  base != NULL && base[0] != '\0' ? base : "/tmp");
	path = mkdtemp(directory) != NULL ? ftsan_xprintf("%s/report.html", directory)
					  : NULL;
	if (path == NULL)
		ftsan_error("no directory for the report: %s", strerror(errno));
	free(directory);
	return path;
}

static int report_in_browser(struct ftsan_report_request *request)
{
	char *path = request->output == NULL ? browser_path(request)
					     : ftsan_xstrdup(request->output);
	int status = FTSAN_EXIT_FAILED;

	if (path == NULL)
		return status;
	request->output = path;
	request->format = &ftsan_format_html;
	status = report_request(request);
	if (status != FTSAN_EXIT_FAILED && show(path) != 0)
		status = FTSAN_EXIT_FAILED;
	free(path);
	return status;
}

int ftsan_command_report(int argc, char **argv)
{
	struct ftsan_report_request request;
	int status = FTSAN_EXIT_FAILED;

	if (ftsan_report_parse(&request, argc, argv) == 0) {
		if (request.help) {
			fputs(ftsan_report_help, stdout);
			status = 0;
		} else if (check_request(&request) == 0) {
			status = request.open ? report_in_browser(&request)
					      : report_request(&request);
		}
	}
	for (char **log = request.stored; log != NULL && *log != NULL; log++)
		free(*log);
	free(request.stored);
	free(request.baselines.values);
	free(request.debug_dirs.values);
	ftsan_suppressions_release(&request.suppressions);
	return status;
}
