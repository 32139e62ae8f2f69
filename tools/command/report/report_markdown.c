/* Markdown for the summary of a job: the verdict, a table, each finding folded. */
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "report/report_model.h"
#include "results/results.h"

/* Names are the program's: as text of HTML, which Markdown takes, and in one line. */
static void put_cell(FILE *out, const char *text)
{
	for (; text != NULL && *text != '\0'; text++) {
		char one[2] = {*text, '\0'};

		if (strchr("|\\`*_[]<>&#", *text) != NULL)
			fprintf(out, "&#%d;", (unsigned char)*text);
		else
			ftsan_put_text(out, one);
	}
}

static void begin_markdown(struct ftsan_report *report)
{
	char *verdict = ftsan_verdict_text(report->session, report->summary.nothing);

	fputs("### ftsan: ", report->out);
	put_cell(report->out, verdict);
	fputs("\n\n", report->out);
	free(verdict);
}

static void put_markdown_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	const struct ftsan_brief brief = {.found = item->found,
					  .news = ftsan_news_word(item->news)};
	FILE *out = report->out, *stream;
	char *text = NULL;
	size_t length = 0;

	if (item->suppressed || item->news == FTSAN_NEWS_GONE)
		return;
	fputs("<details><summary>", out);
	stream = open_memstream(&text, &length);
	if (stream != NULL) {
		ftsan_explain_what(stream, item->view);
		if (fclose(stream) == 0)
			put_cell(out, text);
		free(text);
	}
	fputs("</summary>\n\n<pre>", out);
	text = NULL;
	stream = open_memstream(&text, &length);
	if (stream != NULL) {
		ftsan_brief_write(stream, item->view, &brief);
		if (fclose(stream) == 0)
			ftsan_put_xml(out, text);
		free(text);
	}
	fputs("</pre>\n</details>\n\n", out);
}

const struct ftsan_format ftsan_format_markdown = {
	.name = "markdown",
	.begin = begin_markdown,
	.item = put_markdown_item,
};
