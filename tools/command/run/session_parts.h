/* What the files of session.c share. */
#ifndef FTSAN_TOOLS_SESSION_PARTS_H
#define FTSAN_TOOLS_SESSION_PARTS_H

#include "run/session.h"
#include "report/skim.h"

/* --- session_found.c: the distinct findings --- */

/**
 * ftsan_session_skimmed() - take a record by its few important fields
 *
 * Return: false when it has to be parsed.
 */
bool ftsan_session_skimmed(struct ftsan_session *session, struct ftsan_source *source,
			   const struct ftsan_skim *skim, const char *text,
			   size_t length);

/* A module that the process @source told of; @build_id may be NULL or "". */
void ftsan_session_module(struct ftsan_session *session, struct ftsan_source *source,
			  const char *path, const char *build_id);

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

/* --- session_coverage.c: what was watched --- */

/* FTSAN_GIL_* of the log's word, which may be NULL. */
int ftsan_gil_number(const char *word);

/* A coverage record of the process that @source is reading; the last one counts. */
void ftsan_session_coverage(struct ftsan_source *source, const char *text, size_t length);

/* Adds up the process that @source is reading, if there is one. @ended: with an end. */
void ftsan_source_close(struct ftsan_session *session, struct ftsan_source *source,
			bool ended);

#endif
