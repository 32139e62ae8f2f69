/*
 * One self-contained page. Everything is in the HTML, so that it can be read where
 * scripts and styles are forbidden; its own policy allows no others than ours, so that a
 * name of the program that slipped through the escaping could still run nothing.
 */
#ifndef FTSAN_TOOLS_HTML_PAGE_H
#define FTSAN_TOOLS_HTML_PAGE_H

#include <stdint.h>
#include <stdio.h>

#include "common/common.h"

/* Up to the beginning of the body; @title is escaped. */
void ftsan_html_begin(FILE *out, const char *title);

/* The footer, from inside of <main>, and all that is still open. */
void ftsan_html_end(FILE *out);

/* <tag class="...">text</tag>; @class may be NULL, @text is escaped. */
void ftsan_html_element(FILE *out, const char *tag, const char *class, const char *text);

/* ' name="value"' of a tag; @value is escaped, NULL is as "". */
void ftsan_html_attribute(FILE *out, const char *name, const char *value);

/* A term of a list of facts with the first names, each as code; nothing where there are
 * none. */
void ftsan_html_names(FILE *out, const char *term, const struct ftsan_names *names);

/* One of the big numbers, in a <ul class="numbers">; @meaning is ours. */
void ftsan_html_number(FILE *out, uint64_t number, const char *meaning);

/**
 * ftsan_html_filter() - the bar that chooses among <details class="finding">
 * @kind, @confidence: what these stand for; ours
 *
 * Those have data-kind, data-confidence, data-baseline and data-modules (lines), which
 * may be empty.
 */
void ftsan_html_filter(FILE *out, const char *kind, const char *confidence);

#endif
