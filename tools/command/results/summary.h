/* The end of a run in words: what was found, and what a silence is worth. */
#ifndef FTSAN_TOOLS_SUMMARY_H
#define FTSAN_TOOLS_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "results/session.h"
#include "suppressions/suppressions.h"

/**
 * struct ftsan_summary - what the session does not know
 * @nothing:    the sentence for a session without processes
 * @torn_files: files that end in the middle of a line
 * @mismatches: see ftsan_symbolizer_mismatches()
 * @log_path:   where the log is, NULL when it was not kept
 * @suppressions: those that were given; may be NULL
 * @stats:      every number, not only what says what a silence is worth
 */
struct ftsan_summary {
	const char *nothing;
	unsigned torn_files;
	unsigned mismatches;
	const char *log_path;
	const struct ftsan_suppressions *suppressions;
	bool stats;
};

/* Both pure: every line begins with "ftsan: ". The one line to read: */
void ftsan_summary_verdict(FILE *out, const struct ftsan_session *session,
			   const struct ftsan_summary *summary);

/* What follows the findings: how many, what was watched, where the log is. */
void ftsan_summary_write(FILE *out, const struct ftsan_session *session,
			 const struct ftsan_summary *summary);

#endif
