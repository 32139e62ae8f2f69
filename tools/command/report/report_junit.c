/* JUnit's XML as Jenkins and GitLab read it: a finding is a test case that failed. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/common.h"
#include "report/report_model.h"
#include "results/results.h"

/* Engines are test cases, too, so that a run without findings has some that passed. */
static size_t inactive_engines(const struct ftsan_session *session)
{
	size_t count = 0;

	for (size_t i = 0; i < session->n_engines; i++)
		count += !session->engines[i].active;
	return count;
}

/* @place: NULL, or where a finding is shown */
static void open_case(FILE *out, const char *class, const char *name,
		      const char *fingerprint, const struct ftsan_place *place)
{
	fputs("<testcase classname=\"ftsan.", out);
	ftsan_put_xml(out, class);
	fputs("\" name=\"", out);
	ftsan_put_xml(out, name);
	if (fingerprint != NULL) {
		fputs(" [", out);
		ftsan_put_xml(out, fingerprint);
		fputc(']', out);
	}
	if (place != NULL && place->file != NULL) {
		fputs("\" file=\"", out);
		ftsan_put_xml(out, place->inside != NULL ? place->inside : place->file);
		fprintf(out, "\" line=\"%d", place->line > 0 ? place->line : 1);
	}
	fputs("\" time=\"0\">\n", out);
}

/* A run that watched nothing is an error, as no failure would show it. */
static void put_verdict(const struct ftsan_report *report)
{
	char *text = ftsan_verdict_text(report->session, report->summary.nothing);
	FILE *out = report->out;

	open_case(out, "verdict", "something was watched", NULL, NULL);
	if (ftsan_verdict_of(report->session) == FTSAN_VERDICT_NOTHING_WATCHED) {
		fputs("<error type=\"nothing-watched\" message=\"", out);
		ftsan_put_xml(out, text);
		fputs("\"/>\n", out);
	}
	fputs("</testcase>\n", out);
	free(text);
}

static void begin_junit(struct ftsan_report *report)
{
	const struct ftsan_session *session = report->session;
	size_t hidden = session->n_found - session->n_shown;
	size_t inactive = inactive_engines(session);
	bool blind = ftsan_verdict_of(session) == FTSAN_VERDICT_NOTHING_WATCHED;

	fprintf(report->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites>\n"
		"<testsuite name=\"ftsan\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"%zu\" time=\"0\">\n",
		session->n_found + session->n_engines + 1, session->n_shown,
		inactive + blind, hidden);
	put_verdict(report);
}

/* The program's tests, not those that we make of findings. */
static void put_tests(FILE *out, const struct ftsan_names *tests)
{
	for (size_t i = 0; i < tests->n; i++) {
		fputs(i == 0 ? "In the tests " : ", ", out);
		ftsan_put_xml(out, tests->texts[i]);
	}
	fputs(tests->n > 0 ? "\n" : "", out);
}

static void put_failure(FILE *out, const struct ftsan_item *item)
{
	char *text = ftsan_finding_text(item->view);
	char title[FTSAN_SHORT_NAME];

	fputs("<failure type=\"", out);
	ftsan_put_xml(out, item->found->kind);
	fputs("\" message=\"", out);
	ftsan_put_xml(out, ftsan_item_title(item, title, sizeof(title)));
	fprintf(out, ", %" PRIu64 " %s", ftsan_found_count(item->found),
		ftsan_plural(ftsan_found_count(item->found), "time", "times"));
	if (item->news != FTSAN_NEWS_UNKNOWN)
		fprintf(out, ", %s", ftsan_news_word(item->news));
	fputs("\">", out);
	put_tests(out, &item->found->tests);
	ftsan_put_xml(out, text);
	fputs("</failure>\n", out);
	free(text);
}

static void put_junit_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	FILE *out = report->out;
	char title[FTSAN_SHORT_NAME];

	if (item->news == FTSAN_NEWS_GONE)
		return;
	open_case(out, item->found->kind, ftsan_item_title(item, title, sizeof(title)),
		  item->found->fingerprint, &item->place);
	if (item->suppressed)
		fputs("<skipped message=\"suppressed\"/>\n", out);
	else
		put_failure(out, item);
	fputs("</testcase>\n", out);
}

static void put_engine(FILE *out, const struct ftsan_engine_state *engine)
{
	open_case(out, "engine", engine->name, NULL, NULL);
	if (!engine->active) {
		fputs("<error type=\"inactive\" message=\"", out);
		ftsan_put_xml(out, engine->reason);
		fprintf(out, " (in %" PRIu64 " %s)\"/>\n", engine->processes,
			ftsan_plural(engine->processes, "process", "processes"));
	}
	fputs("</testcase>\n", out);
}

static void end_junit(struct ftsan_report *report)
{
	FILE *out = report->out;
	char *text = NULL;
	size_t length = 0;
	FILE *summary = open_memstream(&text, &length);

	for (size_t i = 0; i < report->session->n_engines; i++)
		put_engine(out, &report->session->engines[i]);
	fputs("<system-out>", out);
	if (summary != NULL) {
		ftsan_summary_verdict(summary, report->session, &report->summary);
		ftsan_summary_write(summary, report->session, &report->summary);
		if (fclose(summary) == 0)
			ftsan_put_xml(out, text);
		free(text);
	}
	fputs("</system-out>\n</testsuite>\n</testsuites>\n", out);
}

const struct ftsan_format ftsan_format_junit = {
	.name = "junit",
	.begin = begin_junit,
	.item = put_junit_item,
	.end = end_junit,
};
