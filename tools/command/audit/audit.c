/* ftsan audit: a run in mode latent, and what became of its modules' statics. */
#include "audit/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "audit/audit_write.h"
#include "audit/compare.h"
#include "audit/request.h"
#include "launch/launch.h"
#include "live/live.h"
#include "symbols/symbols.h"

/* Only what the audit is made of; a later option of the user's wins. */
static const char own_options[] =
	"mode=latent:statics=site:inventory=1:guard=0:watch=0:sampler=0";

static const char no_module[] = "no extension module outside of the interpreter's own "
				"was imported; statics=NAMES "
				"chooses others";

/* struct job - what an audit works with */
struct job {
	const struct ftsan_audit_request *request;
	struct ftsan_audit audit;
	struct ftsan_symbolizer *symbolizer;
	struct ftsan_names known; /* addresses of data, numbers as in @statics */
	char **statics;
	size_t capacity;
	char *nothing;
	json_t *baseline; /* an earlier audit, or NULL */
};

/* --- names --------------------------------------------------------------------- */

static void name_code(void *argument, const char *module, uint64_t offset,
		      struct ftsan_audit_code *code)
{
	struct job *job = argument;
	const struct ftsan_view_frame frame = {.module = module, .offset = offset};
	const struct ftsan_chain *chain = ftsan_symbolize(
		job->symbolizer, &frame, ftsan_audit_build_id(&job->audit, module), true);
	const struct ftsan_view_frame *inner = &chain->frames[0];

	/* Where an inlined function stores, the function around it is named: that one has
	 * a name in every build. */
	code->function = chain->frames[chain->n - 1].function;
	code->file = inner->file;
	code->line = inner->line;
}

/* Of Cython's module state the member says what it is; of other structures the variable
 * does. malloc'ed. */
static char *static_text(const struct ftsan_static_name *name)
{
	static const char state[] = "__pyx_mstate_global";
	const char *part = name->part;

	if (strncmp(name->name, state, sizeof(state) - 1) != 0 || part[0] != '.')
		return ftsan_xstrdup(name->name);
	return ftsan_xprintf("%s->%.*s", state, (int)strcspn(part + 1, ".["), part + 1);
}

static const char *name_data(void *argument, const char *module, uint64_t offset)
{
	struct job *job = argument;
	char *key = ftsan_xprintf("%llx %s", (unsigned long long)offset, module);
	size_t known = job->known.n, number = ftsan_names_add(&job->known, key, 1);
	struct ftsan_static_name name;

	free(key);
	if (number < known)
		return job->statics[number];
	job->statics =
		ftsan_xgrow(job->statics, known, &job->capacity, sizeof(*job->statics));
	job->statics[number] =
		ftsan_symbolize_static(job->symbolizer, module,
				       ftsan_audit_build_id(&job->audit, module), offset,
				       &name)
			? static_text(&name)
			: NULL;
	return job->statics[number];
}

/* --- logs ---------------------------------------------------------------------- */

/* struct reading - a log that is read */
struct reading {
	struct ftsan_audit *audit;
	struct ftsan_audit_source source;
};

static void take_line(void *argument, const char *text, size_t length)
{
	struct reading *reading = argument;

	ftsan_audit_line(reading->audit, &reading->source, text, length);
}

/* Return: 0; -errno, and the reason was printed. */
static int read_log(struct job *job, const char *path)
{
	struct reading reading = {.audit = &job->audit};
	struct ftsan_input_end end;
	int error = ftsan_input_read(path, take_line, &reading, &end);

	ftsan_audit_source_finish(&reading.source);
	if (error != 0)
		ftsan_error("%s: %s", path, strerror(-error));
	else if (end.problem[0] != '\0')
		ftsan_error("%s: %s", path, end.problem);
	if (error == 0 && end.problem[0] != '\0')
		error = -EIO;
	return error;
}

static int read_logs(struct job *job)
{
	int error = 0;

	for (size_t i = 0; i < job->request->n_from; i++)
		if (read_log(job, job->request->from[i]) != 0)
			error = -EIO;
	if (error == 0 && job->audit.processes == 0) {
		ftsan_error("audit: the logs tell of no process");
		error = -EINVAL;
	}
	return error;
}

/* --- the run ------------------------------------------------------------------- */

static void follow(struct ftsan_live *live, struct ftsan_child *child, bool progress)
{
	enum { POLL_MS = 100 };
	struct ftsan_progress line;

	ftsan_progress_begin(&line, progress);
	while (!ftsan_child_wait(child, POLL_MS)) {
		ftsan_follow_poll(&live->follow);
		ftsan_progress_update(&line, &live->follow);
	}
	ftsan_progress_end(&line);
}

/* What the run's own verdict has to say to that. @unfit: why CMD ran without the library,
 * or NULL. */
static void explain_nothing(struct job *job, const struct ftsan_live *live,
			    const char *unfit)
{
	const char *nothing = unfit != NULL	      ? unfit
			      : live->options.enabled ? "CMD ran no CPython"
						      : "enabled=0";
	enum ftsan_sight sight = FTSAN_SEES;

	for (int i = FTSAN_BLIND_PYTHON; i < FTSAN_SIGHTS; i++)
		if (live->session.coverage.sights[i] > 0 && sight == FTSAN_SEES)
			sight = (enum ftsan_sight)i;
	free(job->nothing);
	if (live->session.n_processes == 0)
		job->nothing = ftsan_xstrdup(nothing);
	else if (sight == FTSAN_BLIND_PYTHON)
		job->nothing = ftsan_xstrdup("this CPython is not known to ftsan: see "
					     "ftsan doctor");
	else
		job->nothing = ftsan_xstrdup(no_module);
}

/* Of this run only: FILE.PID may be an old one. Return: 0; -errno. */
static int read_followed(struct job *job, struct ftsan_live *live)
{
	unsigned torn;
	int error;

	ftsan_follow_poll(&live->follow);
	error = ftsan_follow_finish(&live->follow, &torn);
	for (size_t i = 0; i < live->follow.n_files; i++)
		if (live->follow.files[i].source.accept)
			error |= read_log(job, live->follow.files[i].tail.path);
	return error;
}

static int watch(struct job *job, struct ftsan_live *live, const char *unfit)
{
	struct ftsan_child child = {.pid = 0};
	const struct ftsan_audit_request *request = job->request;
	int status = ftsan_child_start(&child, request->command, &live->environment);

	if (status != 0)
		return ftsan_child_not_started(&child, request->command[0], status);
	ftsan_live_begin(live);
	/* Findings are `ftsan report`'s. */
	live->session.on_finding = NULL;
	job->audit.run = live->environment.run_id;
	follow(live, &child, request->progress);
	status = ftsan_child_status(&child);
	if (read_followed(job, live) != 0 && status == 0)
		status = FTSAN_EXIT_FAILED;
	explain_nothing(job, live, unfit);
	job->audit.run = NULL;
	ftsan_live_end(live);
	return status;
}

static int run_logged(struct job *job, struct ftsan_live *live, const char *options)
{
	const char *command = job->request->command[0];
	char *unfit;
	int status;

	if (ftsan_environment_make(&live->environment, options, live->log.path,
				   job->request->keep_gil,
				   live->options.suppressions) != 0)
		return FTSAN_EXIT_FAILED;
	unfit = ftsan_environment_fit(&live->environment, command);
	if (unfit != NULL)
		ftsan_error("%s: %s; it runs without ftsan", command, unfit);
	status = watch(job, live, unfit);
	ftsan_environment_release(&live->environment);
	free(unfit);
	return status;
}

/* Runs the command. Return: its status, or that of our own failure. */
static int run(struct job *job)
{
	struct ftsan_live *live = ftsan_xcalloc(1, sizeof(*live));
	struct ftsan_suppressions none = {.n = 0};
	const struct ftsan_audit_request *request = job->request;
	char *options = ftsan_xstrdup(own_options);
	int status = FTSAN_EXIT_FAILED;

	if (request->options != NULL)
		ftsan_live_add_options(&options, request->options);
	if (ftsan_project_apply() != 0)
		goto out;
	ftsan_store_use(ftsan_project_logs());
	if (ftsan_options_gather(&live->options, options) != 0)
		goto out;
	live->printer.suppressions = &none;
	if (ftsan_log_file_open_stored(&live->log, request->log != NULL
							   ? request->log
							   : live->options.log) != 0)
		goto out;
	status = run_logged(job, live, options);
	ftsan_log_file_close(&live->log, live->session.n_shown > 0);
	ftsan_session_release(&live->session);
out:
	free(options);
	free(live);
	return status;
}

/* --- the report ---------------------------------------------------------------- */

static void write_to(FILE *out, enum ftsan_audit_format format,
		     const struct ftsan_audit_paper *paper)
{
	if (format == FTSAN_AUDIT_JSON)
		ftsan_audit_write_json(out, paper);
	else if (format == FTSAN_AUDIT_HTML)
		ftsan_audit_write_html(out, paper);
	else
		ftsan_audit_write_text(out, paper);
}

static int write_report(const struct ftsan_audit_request *request,
			const struct ftsan_audit_paper *paper)
{
	struct ftsan_output output;
	char *verdict;

	if (ftsan_output_open(&output, request->output) != 0)
		return -EIO;
	write_to(output.out, request->format, paper);
	if (ftsan_output_close(&output, "the audit") != 0)
		return -EIO;
	if (!output.named)
		return 0;
	verdict = ftsan_audit_verdict(paper);
	ftsan_error("%s: %s", request->output, verdict);
	free(verdict);
	return 0;
}

static void tell(void *unused, const char *sentence)
{
	(void)unused;
	ftsan_error("%s: not used", sentence);
}

static int status_of(const struct ftsan_audit_paper *paper)
{
	if (paper->audit->sealing == 0)
		return FTSAN_EXIT_BLIND;
	for (size_t i = 0; paper->audit->compared && i < paper->audit->n_entries; i++)
		if (ftsan_audit_is_bad_news(&paper->audit->entries[i], paper->least))
			return FTSAN_EXIT_FINDINGS;
	return 0;
}

/* Return: the exit status, where the command's own is none. */
static int report(struct job *job)
{
	const struct ftsan_audit_request *request = job->request;
	const struct ftsan_audit_paper paper = {
		.audit = &job->audit,
		.nothing = job->nothing,
		.least = request->least,
		.all = request->all,
	};

	if (job->baseline != NULL)
		ftsan_audit_compare(&job->audit, job->baseline);
	ftsan_audit_sort(&job->audit);
	if (write_report(request, &paper) != 0)
		return FTSAN_EXIT_FAILED;
	ftsan_symbolizer_tell_mismatches(job->symbolizer, tell, NULL);
	return status_of(&paper);
}

static int audit(const struct ftsan_audit_request *request)
{
	static const struct ftsan_symbolizer_options where = {.debuginfod = false};
	struct job job = {.request = request, .nothing = ftsan_xstrdup(no_module)};
	const struct ftsan_audit_names names = {&job, name_code, name_data};
	int status = FTSAN_EXIT_FAILED, reported;

	job.audit.names = &names;
	job.symbolizer = ftsan_symbolizer_open(&where);
	/* One that can't be read is told before the command runs for an hour. */
	if (request->baseline != NULL) {
		job.baseline = ftsan_audit_read(request->baseline);
		if (job.baseline == NULL)
			goto out;
	}
	if (request->n_from > 0)
		status = read_logs(&job) != 0 ? FTSAN_EXIT_FAILED : 0;
	else
		status = run(&job);
	if (job.audit.processes == 0 && status != 0)
		goto out;
	reported = report(&job);
	if (status == 0 || reported == FTSAN_EXIT_FAILED)
		status = reported;
out:
	for (size_t i = 0; i < job.known.n; i++)
		free(job.statics[i]);
	free(job.statics);
	free(job.nothing);
	json_decref(job.baseline);
	ftsan_names_release(&job.known);
	ftsan_audit_release(&job.audit);
	ftsan_symbolizer_close(job.symbolizer);
	return status;
}

int ftsan_command_audit(int argc, char **argv)
{
	struct ftsan_audit_request request;
	int status = FTSAN_EXIT_FAILED;

	if (ftsan_audit_parse(&request, argc, argv) == 0) {
		if (request.help) {
			fputs(ftsan_audit_help, stdout);
			status = ftsan_flush_stdout();
		} else {
			status = audit(&request);
		}
	}
	ftsan_audit_request_release(&request);
	return status;
}
