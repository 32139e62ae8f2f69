/* What the files of the HTML format share. */
#ifndef FTSAN_TOOLS_REPORT_HTML_PARTS_H
#define FTSAN_TOOLS_REPORT_HTML_PARTS_H

#include <stdio.h>

#include "report/html_page.h"
#include "report/report_model.h"

/* --- report_html_finding.c --- */

/* One finding, opened if it is among the first. */
void ftsan_html_finding(struct ftsan_report *report, const struct ftsan_item *item);

/* The classes of a badge that says how sure a finding is. */
const char *ftsan_html_badge(const char *confidence);

/* --- report_html_groups.c --- */

/* A row for each finding to show, with a link to it. */
void ftsan_html_groups(FILE *out, const struct ftsan_session *session);

/* Which functions of which modules ran, as a picture. */
void ftsan_html_modules(FILE *out, const struct ftsan_session *session);

/* --- report_html_coverage.c --- */

/* What was watched, by whom, and what was not. */
void ftsan_html_coverage(FILE *out, const struct ftsan_session *session);

/* Sentences about what makes a silence worth little; nothing when all is well. */
void ftsan_html_warnings(FILE *out, const struct ftsan_session *session);
void ftsan_html_suppressions(FILE *out, const struct ftsan_suppressions *suppressions);

#endif
