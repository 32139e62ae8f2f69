/*
 * The room of what `ftsan run` and `ftsan attach` have in common: a log that is read
 * while it is written, findings as text as they come in, and a summary.
 *
 * May use: common, launch, log, symbols, suppressions, results.
 */
#ifndef FTSAN_TOOLS_LIVE_H
#define FTSAN_TOOLS_LIVE_H

#include <stdbool.h>

#include "base/base.h"
#include "launch/launch.h"
#include "live/follow.h"
#include "live/progress.h"
#include "live/screen.h"
#include "log/log.h"
#include "results/results.h"
#include "suppressions/suppressions.h"

/**
 * struct ftsan_live - zeroed at first
 * @options: that hold for the run; @log and @environment are its owner's to make
 */
struct ftsan_live {
	struct ftsan_options options;
	struct ftsan_log_file log;
	struct ftsan_environment environment;
	struct ftsan_session session;
	struct ftsan_follow follow;
	struct ftsan_printer printer;
};

/* Adds what another --options says to what the former ones said (@options, owned; NULL:
 * there were none). Later ones win. */
void ftsan_live_add_options(char **options, const char *more);

/* Reads the files that the run's options name, which may come from the environment, into
 * @suppressions, which are borrowed from here on. Return: 0 or -errno, and it was said.
 */
int ftsan_live_suppressions(struct ftsan_live *live,
			    struct ftsan_suppressions *suppressions);

/* From here on ftsan_follow_poll() prints what has come. The log is open. */
void ftsan_live_begin(struct ftsan_live *live);

/**
 * ftsan_live_finish() - what is left of the log, and the summary
 * @nothing: as in struct ftsan_summary
 *
 * Return: 0; -errno if a log could not be read, and the reason was printed.
 */
int ftsan_live_finish(struct ftsan_live *live, const char *nothing);

void ftsan_live_end(struct ftsan_live *live);

/* The exit status that the verdict asks for, 0: none. exitcode=0 and blindcode=0 are the
 * user's wish to leave the status alone, and so is enabled=0. */
int ftsan_live_status(const struct ftsan_live *live);

#endif
