/* The end of a run in words: what was found, and what a silence is worth. */
#ifndef FTSAN_TOOLS_SUMMARY_H
#define FTSAN_TOOLS_SUMMARY_H

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
 */
struct ftsan_summary {
	const char *nothing;
	unsigned torn_files;
	unsigned mismatches;
	const char *log_path;
	const struct ftsan_suppressions *suppressions;
};

/* Pure: every line begins with "ftsan: ". */
void ftsan_summary_write(FILE *out, const struct ftsan_session *session,
			 const struct ftsan_summary *summary);

/* The same to stderr, in one write. */
void ftsan_summary_print(const struct ftsan_session *session,
			 const struct ftsan_summary *summary);

#endif
