/*
 * What the logs of one run, or of many, add up to: the processes, the distinct findings,
 * what was watched, and what could not be read. Records come in one by one, in any order
 * of the files. What is kept grows with the distinct findings, not with the records.
 */
#ifndef FTSAN_TOOLS_SESSION_H
#define FTSAN_TOOLS_SESSION_H

#include "results/session_coverage.h"
#include "results/session_found.h"
#include "results/session_modules.h"
#include "results/session_state.h"

/* @session all-zero but for @run and the callbacks is an empty one. */
void ftsan_session_release(struct ftsan_session *session);

/**
 * ftsan_source_init() - before the first line of a file
 * @trusted: what comes before the first `process` record is ours as well
 */
void ftsan_source_init(struct ftsan_source *source, bool trusted);

/* One line of @source; @text NULL for one that can't be had. */
void ftsan_session_line(struct ftsan_session *session, struct ftsan_source *source,
			const char *text, size_t length);

/**
 * ftsan_session_death() - a process was ended by a signal
 *
 * Its parent, its own last record, and whoever waited for it may all say so; it counts
 * once.
 */
void ftsan_session_death(struct ftsan_session *session, int pid, int signal);

/* The signal that ended the process, 0: none, as far as is known. */
int ftsan_session_signal(const struct ftsan_session *session, int pid);

/* After the last line: counts a process without an end. Releases what @source owns. */
void ftsan_source_finish(struct ftsan_session *session, struct ftsan_source *source);

/* The command line that started it all; NULL: there were none, or several. */
const char *ftsan_session_command(const struct ftsan_session *session);

#endif
