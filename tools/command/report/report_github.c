/* Workflow commands of GitHub Actions: an annotation for each finding. */
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "report/report_model.h"
#include "results/results.h"

/* Proven ones fail the eye; what only may happen is told more quietly. */
static const char *level_of(const struct ftsan_item *item)
{
	if (item->news == FTSAN_NEWS_KNOWN)
		return "notice";
	return strcmp(item->found->confidence, "confirmed") == 0 ? "error" : "warning";
}

static void put_github_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	FILE *out = report->out, *message;
	char *text = NULL;
	size_t length = 0;

	if (item->suppressed || item->news == FTSAN_NEWS_GONE)
		return;
	fprintf(out, "::%s ", level_of(item));
	/* A file outside of the checkout can't be annotated. */
	if (item->place.inside != NULL) {
		fputs("file=", out);
		ftsan_put_github_property(out, item->place.inside);
		fprintf(out, ",line=%d,", item->place.line);
	}
	fputs("title=ftsan%3A ", out);
	ftsan_put_github_property(out, item->found->headline);
	if (item->place.function[0] != '\0') {
		fputs(" in ", out);
		ftsan_put_github_property(out, item->place.function);
	}
	fputs("::", out);
	/* An annotation has room for a few lines. */
	message = open_memstream(&text, &length);
	if (message != NULL) {
		ftsan_brief_note(message, item->view, item->found);
		if (fclose(message) == 0)
			ftsan_put_github_message(out, text);
	}
	fputc('\n', out);
	free(text);
}

/* Green without a word is what a run that saw nothing must not be. */
static void end_github(struct ftsan_report *report)
{
	char *text;

	if (ftsan_verdict_of(report->session) != FTSAN_VERDICT_NOTHING_WATCHED)
		return;
	text = ftsan_verdict_text(report->session, report->summary.nothing);
	fputs("::error title=ftsan::", report->out);
	ftsan_put_github_message(report->out, text);
	fputc('\n', report->out);
	free(text);
}

const struct ftsan_format ftsan_format_github = {
	.name = "github",
	.end = end_github,
	.item = put_github_item,
};
