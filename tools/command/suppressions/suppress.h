/* Suppressions: findings that the user knows of and does not want to see. */
#ifndef FTSAN_TOOLS_SUPPRESS_H
#define FTSAN_TOOLS_SUPPRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/common.h"
#include "view/view.h"

enum ftsan_suppression_type {
	FTSAN_SUPPRESS_RACE,
	FTSAN_SUPPRESS_RACE_TOP,
	FTSAN_SUPPRESS_MODULE,
	FTSAN_SUPPRESS_TEST,
	FTSAN_SUPPRESS_KIND,
	FTSAN_SUPPRESS_FINGERPRINT,
	FTSAN_SUPPRESS_TYPES,
};

/**
 * struct ftsan_suppression - one line of a file
 * @text:    the line without comment and blanks; owned
 * @pattern: part of it; owned
 * @place:   "FILE:LINE"; owned
 * @expired: its date is past, so it hides nothing
 * @matched: fingerprints that it matched, and how many records each
 */
struct ftsan_suppression {
	enum ftsan_suppression_type type;
	char *text, *pattern, *place;
	bool expired;
	struct ftsan_names matched;
};

/* struct ftsan_suppressions - all of them; all-zero is an empty list */
struct ftsan_suppressions {
	struct ftsan_suppression *list;
	size_t n, capacity;
};

/**
 * ftsan_suppressions_read() - add the lines of a file
 * @today: "2026-11-22"; a line whose date is before is expired
 *
 * Return: 0; -EINVAL when a line is bad, -errno when the file can't be read, and the
 *         reason was printed with file and line.
 */
int ftsan_suppressions_read(struct ftsan_suppressions *suppressions, const char *path,
			    const char *today);

/* The same from an open file; @name is for messages. */
int ftsan_suppressions_read_stream(struct ftsan_suppressions *suppressions, FILE *file,
				   const char *name, const char *today);

void ftsan_suppressions_release(struct ftsan_suppressions *suppressions);

/* Today as UTC has it; static storage. */
const char *ftsan_today(void);

/**
 * ftsan_suppressions_match() - is this finding suppressed?
 * @view:  symbolized
 * @tests: list of strings, or NULL
 *
 * Every line that matches counts the finding, expired ones, too.
 */
bool ftsan_suppressions_match(struct ftsan_suppressions *suppressions,
			      const struct ftsan_view *view, const json_t *tests);

/* The same by tests alone, for those that were told after the finding. */
bool ftsan_suppressions_match_tests(struct ftsan_suppressions *suppressions,
				    const char *fingerprint, const json_t *tests);

/**
 * ftsan_suppression_write() - the lines that would hide a finding, ready for a file
 * @view: symbolized
 *
 * The fingerprint's line hides this finding only; wider ones are comments.
 */
void ftsan_suppression_write(FILE *out, const struct ftsan_view *view);

#endif
