/* The end of a run in words: what was found, and what a silence is worth. */
#ifndef FTSAN_TOOLS_SUMMARY_H
#define FTSAN_TOOLS_SUMMARY_H

#include <stdio.h>

#include "run/session.h"
#include "report/suppress.h"

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

/* Of summary_coverage.c: what was watched and what was not, and the state of the GIL. */
void ftsan_summary_coverage(FILE *out, const struct ftsan_session *session);
void ftsan_summary_gil(FILE *out, const struct ftsan_session *session);

/* Of summary_suppressions.c: what they hid, and which ones are of no use. */
void ftsan_summary_suppressions(FILE *out, const struct ftsan_session *session,
				const struct ftsan_suppressions *suppressions);

/* "1 finding", "2 findings" and its like. */
const char *ftsan_plural(uint64_t count, const char *one, const char *many);

/* Adds what a log says to a text: control characters become '?'. */
void ftsan_summary_text(FILE *out, const char *text);

#endif
