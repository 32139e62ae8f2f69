/* The report as ftsan run prints it, and the lines of a suppressions file. */
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "results/results.h"
#include "report/report_model.h"

static void put(struct ftsan_report *report, const char *text, size_t length)
{
	char *coloured = NULL;
	size_t coloured_length = 0;

	if (report->colour)
		coloured = ftsan_colour_report(text, length, &coloured_length);
	if (coloured != NULL)
		fwrite(coloured, 1, coloured_length, report->out);
	else
		fwrite(text, 1, length, report->out);
	free(coloured);
}

static void write_tests(FILE *out, const struct ftsan_names *tests)
{
	enum { NAMED_MAX = 5 };

	for (size_t i = 0; i < tests->n && i < NAMED_MAX; i++) {
		fputs(i == 0 ? "  In the tests " : ", ", out);
		ftsan_put_text(out, tests->texts[i]);
	}
	if (tests->n > NAMED_MAX)
		fprintf(out, " and %zu more", tests->n - NAMED_MAX);
	if (tests->n > 0)
		fputs(".\n", out);
}

/* What several logs say of a finding; nothing of one that occurred once. */
static void write_notes(FILE *out, const struct ftsan_item *item)
{
	const struct ftsan_found *found = item->found;
	uint64_t count = ftsan_found_count(found);

	if (item->news != FTSAN_NEWS_UNKNOWN)
		fprintf(out, "  Compared with the baseline: %s.\n",
			ftsan_news_word(item->news));
	write_tests(out, &found->tests);
	if (count < 2)
		return;
	fprintf(out, "  Occurred %llu times in %llu %s", (unsigned long long)count,
		(unsigned long long)found->processes,
		ftsan_plural(found->processes, "process", "processes"));
	if (found->first > 0) {
		fputs(", first ", out);
		ftsan_put_time(out, found->first);
		fputs(", last ", out);
		ftsan_put_time(out, found->last);
	}
	fputs(".\n", out);
}

static void put_text_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	static const char mark[] = "\n\nSUMMARY: ";
	char *text, *next, *summary = NULL, *whole = NULL;
	size_t length = 0;
	FILE *out;

	if (item->suppressed || item->news == FTSAN_NEWS_GONE)
		return;
	text = ftsan_finding_text(item->view);
	/* Names can't hold a newline there, so the last one is the report's own. */
	for (next = strstr(text, mark); next != NULL; next = strstr(next + 1, mark))
		summary = next + 1;
	out = open_memstream(&whole, &length);
	if (out != NULL && summary != NULL) {
		fwrite(text, 1, (size_t)(summary - text), out);
		write_notes(out, item);
		fputs(summary, out);
		if (fclose(out) == 0)
			put(report, whole, length);
		free(whole);
	}
	free(text);
}

static void gone_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	FILE *out = report->out;

	if (item->news != FTSAN_NEWS_GONE)
		return;
	fprintf(out, "ftsan:   gone: ");
	ftsan_put_text(out, item->found->fingerprint);
	fputs(", ", out);
	ftsan_put_text(out, ftsan_kind_headline(item->found->kind));
	if (item->place.function[0] != '\0') {
		fputs(" in ", out);
		ftsan_put_text(out, item->place.function);
	}
	if (item->place.file != NULL) {
		fputc(' ', out);
		ftsan_put_text(out, item->place.file);
		fprintf(out, ":%d", item->place.line);
	}
	fputc('\n', out);
}

static void write_comparison(FILE *out, const struct ftsan_report *report)
{
	static const struct ftsan_format gone = {.item = gone_item};
	struct ftsan_report list = *report;

	if (report->baseline == NULL)
		return;
	fprintf(out, "ftsan: compared with the baseline: %zu new, %zu known, %zu gone\n",
		report->n_new, report->session->n_shown - report->n_new, report->n_gone);
	if (report->n_gone == 0)
		return;
	list.out = out;
	ftsan_report_write(&list, &gone);
}

static void end_text(struct ftsan_report *report)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return;
	report->summary.mismatches = ftsan_symbolizer_mismatches(report->symbolizer);
	ftsan_summary_write(out, report->session, &report->summary);
	write_comparison(out, report);
	if (fclose(out) == 0)
		put(report, text, length);
	free(text);
}

const struct ftsan_format ftsan_format_text = {
	.name = "text",
	.item = put_text_item,
	.end = end_text,
};

static void generate_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	if (!item->suppressed && item->news != FTSAN_NEWS_GONE)
		ftsan_suppression_write(report->out, item->view);
}

const struct ftsan_format ftsan_format_suppressions = {
	.name = "suppressions",
	.item = generate_item,
};
