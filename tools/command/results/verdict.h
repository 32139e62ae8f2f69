/*
 * The verdict of a run: FOUND, CLEAN or NOTHING WATCHED. All formats and exit statuses
 * ask here, so that none of them takes a run that saw nothing for one that found nothing.
 */
#ifndef FTSAN_TOOLS_VERDICT_H
#define FTSAN_TOOLS_VERDICT_H

#include <stdio.h>

#include "results/session_state.h"

enum ftsan_verdict {
	FTSAN_VERDICT_FOUND,
	FTSAN_VERDICT_CLEAN,
	FTSAN_VERDICT_NOTHING_WATCHED,
};

/**
 * ftsan_sight_judge() - did a process see anything, and if not, why?
 *
 * Pure. Return: FTSAN_SEES, or the first reason that holds, the gravest before others.
 */
enum ftsan_sight ftsan_sight_judge(const struct ftsan_sight_question *question);

/**
 * struct ftsan_verdict_question - what a verdict rests on
 * @findings: those to show
 * @seeing:   processes that watched something
 */
struct ftsan_verdict_question {
	uint64_t findings;
	uint64_t seeing;
};

/* Pure. A run that found something was not blind. */
enum ftsan_verdict ftsan_verdict_judge(const struct ftsan_verdict_question *question);

/* The same for a session. */
enum ftsan_verdict ftsan_verdict_of(const struct ftsan_session *session);

/* "found", "clean", "nothing-watched": for machines. */
const char *ftsan_verdict_word(enum ftsan_verdict verdict);

/**
 * ftsan_verdict_write() - the verdict in words, without a newline
 * @nothing: why there is no process at all, for a session without one
 *
 * "FOUND 2 bugs", "CLEAN (what was watched)", "NOTHING WATCHED (why; what to do)".
 */
void ftsan_verdict_write(FILE *out, const struct ftsan_session *session,
			 const char *nothing);

/* The same as a string; malloc'ed. */
char *ftsan_verdict_text(const struct ftsan_session *session, const char *nothing);

/* What nobody watches here, as a list in words: "array data, ...". */
void ftsan_verdict_write_unwatched(FILE *out, const struct ftsan_session *session);

/* The same as a string; malloc'ed. */
char *ftsan_verdict_unwatched(const struct ftsan_session *session);

/* Processes that were blind for a reason to be told although others saw; lines that begin
 * with "ftsan: ". */
void ftsan_verdict_write_blind(FILE *out, const struct ftsan_session *session);

#endif
