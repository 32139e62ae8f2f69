/* The paragraphs of summary.h that have a file of their own. */
#ifndef FTSAN_TOOLS_SUMMARY_PARTS_H
#define FTSAN_TOOLS_SUMMARY_PARTS_H

#include <stdbool.h>
#include <stdio.h>

#include "results/session.h"
#include "suppressions/suppressions.h"

/* Of summary_coverage.c: what was watched and what was not, and the state of the GIL;
 * without @stats only what a reader has to know. */
void ftsan_summary_coverage(FILE *out, const struct ftsan_session *session, bool stats);
void ftsan_summary_gil(FILE *out, const struct ftsan_session *session, bool stats);

/* Of summary_suppressions.c: what they hid, and which ones are of no use. */
void ftsan_summary_suppressions(FILE *out, const struct ftsan_session *session,
				const struct ftsan_suppressions *suppressions);

#endif
