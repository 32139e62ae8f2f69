/*
 * Texts of a log in other languages. Names of functions, files, threads and tests are
 * the program's, so each of them may be an attack on whoever reads the report.
 */
#ifndef FTSAN_TOOLS_ESCAPE_H
#define FTSAN_TOOLS_ESCAPE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* All of them take NULL for "". */

/*
 * Character data and attribute values of XML and HTML alike. What XML 1.0 can't hold
 * (control characters, bytes that are no UTF-8) becomes '?'.
 */
void ftsan_put_xml(FILE *out, const char *text);

/* A field of CSV, always quoted; one that a spreadsheet would compute gets a "'". */
void ftsan_put_csv(FILE *out, const char *text);

/* Of a GitHub workflow command: the message, and a property such as title. */
void ftsan_put_github_message(FILE *out, const char *text);
void ftsan_put_github_property(FILE *out, const char *text);

/* For a terminal: control characters become '?'. @text is not NULL. */
void ftsan_put_text(FILE *out, const char *text);
/* @length: bytes of it */
void ftsan_put_text_n(FILE *out, const char *text, size_t length);
/* With @n for its first '%'; a text without one stays as it is. */
void ftsan_put_counted(FILE *out, const char *text, uint64_t n);

/* The text with '?' for bytes that are no UTF-8; malloc'ed. */
char *ftsan_clean_text(const char *text);

/* A JSON string of it. */
json_t *ftsan_json_text(const char *text);

/* "2026-11-22T07:43:27Z" of seconds since the epoch; "" of 0. */
void ftsan_put_time(FILE *out, double seconds);

#endif
