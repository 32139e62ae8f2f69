/* ftsan report: logs that were written earlier, as text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "printer.h"
#include "summary.h"
#include "symbolize.h"
#include "tail.h"

static const char help[] =
	"usage: ftsan report LOG...\n"
	"\n"
	"Prints the findings in the given logs, each fingerprint once, and a summary.\n"
	"\n"
	"Exit status: 0; 66 when there are findings; 125 when a log can't be read.\n";

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

/* Return: 0; -errno if it can't be read, and the reason was printed. */
static int read_log(struct ftsan_session *session, const char *path,
		    struct ftsan_summary *summary)
{
	struct reading reading = {.session = session};
	struct ftsan_tail tail;
	int error;

	ftsan_source_init(&reading.source, true);
	ftsan_tail_init(&tail, path);
	error = ftsan_tail_read(&tail, hand_over, &reading);
	if (error == -EINVAL)
		ftsan_error("%s: not a regular file", path);
	else if (error != 0)
		ftsan_error("%s: %s", path, strerror(-error));
	if (ftsan_tail_is_torn(&tail))
		summary->torn_files++;
	ftsan_tail_release(&tail);
	return error;
}

static int report_logs(char **paths)
{
	struct ftsan_symbolizer *symbolizer = ftsan_symbolizer_open();
	struct ftsan_session session = {
		.on_finding = ftsan_print_finding,
		.argument = symbolizer,
	};
	struct ftsan_summary summary = {.nothing = "the logs tell of no process"};
	int status;

	status = 0;
	for (; *paths != NULL; paths++)
		if (read_log(&session, *paths, &summary) != 0)
			status = FTSAN_EXIT_FAILED;
	summary.mismatches = ftsan_symbolizer_mismatches(symbolizer);
	ftsan_summary_print(&session, &summary);
	if (status == 0 && session.n_found > 0)
		status = FTSAN_EXIT_FINDINGS;
	ftsan_session_release(&session);
	ftsan_symbolizer_close(symbolizer);
	return status;
}

int ftsan_command_report(int argc, char **argv)
{
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(help, stdout);
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--") == 0)
		argv++, argc--;
	else if (argc > 1 && argv[1][0] == '-') {
		ftsan_error("report: unknown option %s; see ftsan report --help",
			    argv[1]);
		return FTSAN_EXIT_FAILED;
	}
	if (argc < 2) {
		ftsan_error("report: no log to read; see ftsan report --help");
		return FTSAN_EXIT_FAILED;
	}
	return report_logs(argv + 1);
}
