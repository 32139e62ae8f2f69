/* ftsan attach, ftsan detach: a program that runs already. */
#include "attach/attach.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach/request.h"
#include "base/base.h"
#include "common/common.h"
#include "live/live.h"

/* --- following ---------------------------------------------------------------------- */

/* struct work - what an attach works with */
struct work {
	struct ftsan_attach_request *request;
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
	struct ftsan_screen screen = {.shown = false};
	struct ftsan_progress progress;
	char *title = ftsan_xprintf("attached to process %d", (int)work->target.pid);

	if (work->request->live)
		ftsan_screen_begin(&screen, title, &work->live.printer);
	ftsan_progress_begin(&progress, !screen.shown);

	while (!interrupted && !ftsan_target_ended(&work->target) &&
	       (work->request->duration < 0 || ftsan_seconds() < end)) {
		struct timespec pause = {.tv_nsec = 100000000};

		ftsan_follow_poll(&work->live.follow);
		ftsan_progress_update(&progress, &work->live.follow);
		ftsan_screen_update(&screen, &work->live.follow);
		nanosleep(&pause, NULL);
	}
	ftsan_progress_end(&progress);
	work->live.printer.take_line = NULL;
	ftsan_screen_end(&screen);
	free(title);
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

static int attach_with_log(struct work *work)
{
	int status = FTSAN_EXIT_FAILED;

	if (ftsan_environment_make(&work->live.environment, work->request->options,
				   work->live.log.path, false, "") != 0)
		return status;
	work->delivery.library = work->target.library != NULL
					 ? work->target.library
					 : work->live.environment.library;
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
	struct ftsan_attach_request *request = work->request;
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

static int serve(struct ftsan_attach_request *request)
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

static int run_command(struct ftsan_attach_request *request, int argc, char **argv)
{
	int status = FTSAN_EXIT_FAILED;

	if (ftsan_attach_parse(request, argc, argv) == 0) {
		if (request->help) {
			fputs(ftsan_attach_help(request), stdout);
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
	struct ftsan_attach_request request = {
		.name = "attach", .attach = true, .duration = -1, .timeout = 10};

	return run_command(&request, argc, argv);
}

int ftsan_command_detach(int argc, char **argv)
{
	struct ftsan_attach_request request = {
		.name = "detach", .duration = -1, .timeout = 10};

	return run_command(&request, argc, argv);
}
