/* The distinct findings of a session. */
#ifndef FTSAN_TOOLS_SESSION_FOUND_H
#define FTSAN_TOOLS_SESSION_FOUND_H

#include "results/session_state.h"

/* Is the finding one to show? */
bool ftsan_found_shown(const struct ftsan_found *found);

/* How often it occurred. */
uint64_t ftsan_found_count(const struct ftsan_found *found);

/* Order of proof: larger is stronger. */
int ftsan_confidence_rank(const char *confidence);

/*
 * After lines that were there together: prints what they tell. A finding whose tests are
 * yet to be told waits for that, because a suppression may name them.
 */
void ftsan_source_flush(struct ftsan_session *session, struct ftsan_source *source);

/* After the last source: prints what is still to be printed. */
void ftsan_session_flush(struct ftsan_session *session);

/* --- for session.c --- */

/*
 * Takes a further record of a finding that is known, by its few important fields. Return:
 * false when it has to be parsed: it may be a better proof, or the first that is shown.
 */
bool ftsan_session_repeat(struct ftsan_session *session, struct ftsan_source *source,
			  const struct ftsan_skim *skim);

/* A parsed finding; @text is its line. */
void ftsan_session_finding_record(struct ftsan_session *session,
				  struct ftsan_source *source,
				  struct ftsan_finding_record *record, const char *text,
				  size_t length);

/* Of the pytest plugin: which tests run, and which ones a finding belongs to. */
void ftsan_session_running(struct ftsan_source *source, json_t *tests);
void ftsan_session_test(struct ftsan_session *session, struct ftsan_source *source,
			const struct ftsan_tests_record *record);

/* No more will be told of the findings of @source's process. */
void ftsan_source_settle(struct ftsan_session *session, struct ftsan_source *source);
void ftsan_source_release_met(struct ftsan_source *source);
void ftsan_session_release_found(struct ftsan_session *session);

#endif
