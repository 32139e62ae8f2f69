/* What the processes of a session watched. */
#ifndef FTSAN_TOOLS_SESSION_COVERAGE_H
#define FTSAN_TOOLS_SESSION_COVERAGE_H

#include "results/session_state.h"

/* One of the coverage's sums; 0 when no process told it. */
long long ftsan_session_total(const struct ftsan_session *session, const char *name);

/* --- for session.c --- */

/* FTSAN_GIL_* of the log's word, which may be NULL. */
int ftsan_gil_number(const char *word);

/* A coverage record of the process that @source is reading; the last one counts. */
void ftsan_session_coverage(struct ftsan_source *source, const char *text, size_t length);

/* Adds up the process that @source is reading, if there is one. @ended: with an end. */
void ftsan_source_close(struct ftsan_session *session, struct ftsan_source *source,
			bool ended);

#endif
