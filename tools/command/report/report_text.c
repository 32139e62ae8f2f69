/* The report as ftsan run prints it, and the lines of a suppressions file. */
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "report/report_model.h"
#include "results/results.h"

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

static void begin_text(struct ftsan_report *report)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = report->no_summary ? NULL : open_memstream(&text, &length);

	if (out == NULL)
		return;
	ftsan_summary_verdict(out, report->session, &report->summary);
	if (fclose(out) == 0)
		put(report, text, length);
	free(text);
}

static void put_text_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	const struct ftsan_brief brief = {
		.found = item->found,
		.command = ftsan_session_command(report->session),
		.news = ftsan_news_word(item->news),
		.directory = report->directory,
	};
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	if (item->suppressed || item->news == FTSAN_NEWS_GONE)
		return;
	out = open_memstream(&text, &length);
	if (out == NULL)
		return;
	ftsan_print_view(out, item->view, &brief, report->full_stacks);
	if (fclose(out) == 0)
		put(report, text, length);
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
	ftsan_put_text(out, item->found->headline);
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
	FILE *out = report->no_summary ? NULL : open_memstream(&text, &length);

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
	.begin = begin_text,
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
