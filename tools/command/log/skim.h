/*
 * The few fields of a record that merging needs, without a parse of the whole line. A log
 * of a million records has a few thousand distinct findings; only those are parsed.
 */
#ifndef FTSAN_TOOLS_SKIM_H
#define FTSAN_TOOLS_SKIM_H

#include <stdbool.h>
#include <stddef.h>

enum ftsan_skim_field {
	FTSAN_SKIM_V,
	FTSAN_SKIM_TYPE,
	FTSAN_SKIM_KIND,
	FTSAN_SKIM_FINGERPRINT,
	FTSAN_SKIM_CONFIDENCE,
	FTSAN_SKIM_EVIDENCE,
	FTSAN_SKIM_TIME,
	FTSAN_SKIM_TESTS,
	FTSAN_SKIM_PATH,
	FTSAN_SKIM_BUILD_ID,
	FTSAN_SKIM_TID,
	FTSAN_SKIM_FIELDS,
};

/**
 * struct ftsan_skim - members of the record, as they stand in the line
 * @text, @length: the value; of a string without its quotes. NULL when it is not there
 * @string:        the value is a string
 */
struct ftsan_skim {
	struct {
		const char *text;
		size_t length;
		bool string;
	} fields[FTSAN_SKIM_FIELDS];
};

/**
 * ftsan_skim() - look at one line
 * @line: @length bytes without the newline; borrowed by @skim
 *
 * Checks the JSON of the whole line, so that what it accepts the parser would, too. It
 * gives up on what needs more than a look (escapes of the form \u, text that is not
 * ASCII, numbers of many digits, deep nesting); the caller then parses the line.
 *
 * Return: true when the line is an object and @skim tells its fields.
 */
bool ftsan_skim(struct ftsan_skim *skim, const char *line, size_t length);

/* A copy of a value, NUL-terminated ("" for one that is not there); false when it is too
 * long for @size bytes, which is too long to be one of ours. */
bool ftsan_skim_copy(const struct ftsan_skim *skim, enum ftsan_skim_field field, char *to,
		     size_t size);

/**
 * typedef ftsan_skim_member - one member of the record itself
 * @key, @value: as they stand in the line; a string value has its quotes
 */
typedef void (*ftsan_skim_member)(void *argument, const char *key, size_t key_length,
				  const char *value, size_t length);

/* The same look, with every member; on false some may have been visited. */
bool ftsan_skim_members(const char *line, size_t length, ftsan_skim_member visit,
			void *argument);

/* Is the field the string @text? */
bool ftsan_skim_is(const struct ftsan_skim *skim, enum ftsan_skim_field field,
		   const char *text);

#endif
