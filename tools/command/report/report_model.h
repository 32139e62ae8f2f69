/*
 * A report in the making: what the logs add up to, compared with a baseline, in the order
 * in which findings are shown. Each output format is a file of its own that is handed one
 * finding at a time, so that only one is in memory as a whole.
 */
#ifndef FTSAN_TOOLS_REPORT_MODEL_H
#define FTSAN_TOOLS_REPORT_MODEL_H

#include <stdbool.h>
#include <stdio.h>

#include "report/place.h"
#include "results/results.h"
#include "suppressions/suppressions.h"
#include "symbols/symbols.h"

enum ftsan_news {
	FTSAN_NEWS_UNKNOWN, /* there is no baseline */
	FTSAN_NEWS_NEW,
	FTSAN_NEWS_KNOWN,
	FTSAN_NEWS_GONE,
};

struct ftsan_item;

/* The finding in a few words, those of C++ cut as text has them; @to: room for it. */
const char *ftsan_item_title(const struct ftsan_item *item, char *to,
			     size_t capacity_bytes);

/* "new", "known", "gone"; NULL without a baseline. */
const char *ftsan_news_word(enum ftsan_news news);

/**
 * struct ftsan_item - one finding, as formats get it
 * @found:      how often, when, in which tests
 * @resolved:   symbolized; @view is its view
 * @suppressed: shown only by formats that have a word for it
 * @number:     from 1, of those with the same fate
 */
struct ftsan_item {
	const struct ftsan_found *found;
	const struct ftsan_resolved *resolved;
	const struct ftsan_view *view;
	struct ftsan_place place;
	enum ftsan_news news;
	bool suppressed;
	size_t number;
};

/**
 * struct ftsan_report - everything there is to say
 * @session:      what the logs add up to
 * @baseline:     NULL when there is none
 * @suppressions: may be empty
 * @summary:      for the closing words
 * @root:         directory of the user's sources
 * @sysroot:      where the files of the machine that ran are; NULL: here
 * @directory:    where we are: text has paths relative to it; NULL: unknown
 * @colour:       text may have escape sequences
 * @full_stacks:  text has every frame
 * @no_summary:   text is the findings only
 * @n_new, @n_gone: findings, without suppressed ones
 * @out:          where formats write
 * @written:      items so far, for those who put commas between them
 */
struct ftsan_report {
	struct ftsan_session *session;
	struct ftsan_session *baseline;
	struct ftsan_suppressions *suppressions;
	struct ftsan_symbolizer *symbolizer;
	struct ftsan_summary summary;
	const char *root;
	const char *sysroot;
	const char *directory;
	bool colour, full_stacks, no_summary;
	size_t n_new, n_gone;
	FILE *out;
	size_t written;
};

/**
 * struct ftsan_format - an output format
 * @begin, @end:   may be NULL
 * @item:          called for findings to show, then suppressed ones, then gone ones,
 *                 each in the order of their weight
 */
struct ftsan_format {
	const char *name;
	void (*begin)(struct ftsan_report *report);
	void (*item)(struct ftsan_report *report, const struct ftsan_item *item);
	void (*end)(struct ftsan_report *report);
};

extern const struct ftsan_format ftsan_format_csv;
extern const struct ftsan_format ftsan_format_github;
extern const struct ftsan_format ftsan_format_html;
extern const struct ftsan_format ftsan_format_json;
extern const struct ftsan_format ftsan_format_junit;
extern const struct ftsan_format ftsan_format_markdown;
extern const struct ftsan_format ftsan_format_sarif;
extern const struct ftsan_format ftsan_format_suppressions;
extern const struct ftsan_format ftsan_format_text;

/* Counts what is new and what is gone; before ftsan_report_write(). */
void ftsan_report_compare(struct ftsan_report *report);

/* Hands everything to @format, which writes to @report's out. */
void ftsan_report_write(struct ftsan_report *report, const struct ftsan_format *format);

#endif
