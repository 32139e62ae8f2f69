#include "common/output.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/message.h"

/* Set in a signal handler: whoever read our output wants no more of it. */
static volatile sig_atomic_t reader_gone;

static void on_sigpipe(int signal)
{
	(void)signal;
	reader_gone = 1;
}

/*
 * `report | head` has seen what it wanted, which is no failure, and must not look like one
 * to `set -o pipefail`. A file that can't be written is.
 */
static void watch_reader(void)
{
	struct sigaction action = {.sa_handler = on_sigpipe};

	sigaction(SIGPIPE, &action, NULL);
}

int ftsan_output_open(struct ftsan_output *output, const char *path)
{
	output->named = path != NULL && strcmp(path, "-") != 0;
	output->name = output->named ? path : "standard output";
	output->out = output->named ? fopen(path, "we") : stdout;
	if (output->out == NULL) {
		ftsan_error("%s: %s", output->name, strerror(errno));
		return -EIO;
	}
	if (!output->named)
		watch_reader();
	return 0;
}

int ftsan_output_close(struct ftsan_output *output, const char *what)
{
	bool failed = ferror(output->out) != 0;

	failed |= output->named ? fclose(output->out) != 0 : fflush(output->out) != 0;
	output->out = NULL;
	if (!failed || (!output->named && reader_gone))
		return 0;
	ftsan_error("%s: %s can't be written: %s", output->name, what, strerror(errno));
	return -EIO;
}
