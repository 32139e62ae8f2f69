/* The findings as a page. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "report/packages.h"
#include "report/report_html_parts.h"

static void put_numbers(const struct ftsan_report *report)
{
	const struct ftsan_session *session = report->session;
	size_t hidden = session->n_found - session->n_shown;
	FILE *out = report->out;

	fputs("<ul class=\"numbers\">\n", out);
	ftsan_html_number(out, session->n_shown,
			  ftsan_plural(session->n_shown, "finding", "findings"));
	if (report->baseline != NULL) {
		ftsan_html_number(out, report->n_new, "new");
		ftsan_html_number(out, session->n_shown - report->n_new, "known");
		ftsan_html_number(out, report->n_gone, "gone");
	}
	if (hidden > 0)
		ftsan_html_number(out, hidden, "suppressed");
	ftsan_html_number(out, session->n_processes,
			  ftsan_plural(session->n_processes, "process", "processes"));
	if (session->runs.n > 1)
		ftsan_html_number(out, session->runs.n, "runs");
	ftsan_html_number(out,
			  (uint64_t)ftsan_session_total(session, "buffers_published"),
			  "arrays watched");
	fputs("</ul>\n", out);
}

static void put_verdict(const struct ftsan_report *report)
{
	enum ftsan_verdict verdict = ftsan_verdict_of(report->session);
	char *text = ftsan_verdict_text(report->session, report->summary.nothing);
	char *unwatched = ftsan_verdict_unwatched(report->session);

	fprintf(report->out, "<p class=\"verdict %s\">", ftsan_verdict_word(verdict));
	ftsan_put_xml(report->out, text);
	fputs("</p>\n<p class=\"soft\">Not watched: ", report->out);
	ftsan_put_xml(report->out, unwatched);
	fputs("</p>\n", report->out);
	free(text);
	free(unwatched);
}

/* Extension modules and the libraries of packages, not the interpreter's and the
 * system's. */
static bool is_of_package(const char *path)
{
	return ftsan_path_in_packages(path) != NULL || ftsan_path_has_tag(path);
}

static void add_package(const struct ftsan_report *report, struct ftsan_names *packages,
			const char *path)
{
	char *name = ftsan_package_of(path, report->sysroot, report->session->first);

	if (name != NULL)
		ftsan_names_add(packages, name, 1);
	free(name);
}

/* "Native code of numpy 2.5.5, tally" */
static void put_packages(const struct ftsan_report *report)
{
	enum { SHOWN = 12 };
	const struct ftsan_session *session = report->session;
	const struct ftsan_names *paths = &session->coverage.module_paths;
	struct ftsan_names packages = {.n = 0};
	FILE *out = report->out;

	for (size_t i = 0; i < paths->n; i++)
		add_package(report, &packages, paths->texts[i]);
	/* Mode latent samples none; those that findings tell of are known all the same.
	 */
	for (size_t i = 0; i < session->n_modules; i++)
		if (is_of_package(session->modules[i].path))
			add_package(report, &packages, session->modules[i].path);
	for (size_t i = 0; i < packages.n && i < SHOWN; i++) {
		fputs(i > 0 ? ", " : "<p class=\"soft\">Native code of ", out);
		ftsan_put_xml(out, packages.texts[i]);
	}
	if (packages.n > SHOWN)
		fprintf(out, " and %zu more packages", packages.n - SHOWN);
	fputs(packages.n > 0 ? "</p>\n" : "", out);
	ftsan_names_release(&packages);
}

static void put_date(const struct ftsan_report *report)
{
	const struct ftsan_session *session = report->session;
	FILE *out = report->out;

	if (session->first <= 0)
		return;
	fputs(", run at ", out);
	ftsan_put_time(out, session->first);
	if (session->runs.n < 2 || session->last - session->first < 1)
		return;
	fputs(" and until ", out);
	ftsan_put_time(out, session->last);
}

/* "CPython 3.14.7, ftsan 0.1.0, run at 2026-11-30T08:12:45Z" */
static void put_origin(const struct ftsan_report *report)
{
	const struct ftsan_session *session = report->session;
	FILE *out = report->out;

	fputs("<p class=\"soft\">", out);
	for (size_t i = 0; i < session->pythons.n; i++) {
		fputs(i > 0 ? ", CPython " : "CPython ", out);
		ftsan_put_xml(out, session->pythons.texts[i]);
	}
	for (size_t i = 0; i < session->versions.n; i++) {
		fputs(session->pythons.n + i > 0 ? ", ftsan " : "ftsan ", out);
		ftsan_put_xml(out, session->versions.texts[i]);
	}
	put_date(report);
	fputs("</p>\n", out);
	put_packages(report);
}

static void begin_html(struct ftsan_report *report)
{
	FILE *out = report->out;

	ftsan_html_begin(out, "ftsan report");
	fputs("<header class=\"page\">\n<h1>ftsan report</h1>\n", out);
	for (size_t i = 0; i < report->session->commands.n && i < 3; i++)
		ftsan_html_element(out, "div", "soft code",
				   report->session->commands.texts[i]);
	put_origin(report);
	put_verdict(report);
	put_numbers(report);
	ftsan_html_warnings(out, report->session);
	fputs("</header>\n<main>\n", out);
	ftsan_html_groups(out, report->session);
	ftsan_html_filter(out, "Kind", "Confidence");
}

/* Suppressed and gone ones get a row only. */
static void put_row(FILE *out, const struct ftsan_item *item)
{
	fputs("<tr>", out);
	ftsan_html_element(out, "td", "code", item->found->fingerprint);
	ftsan_html_element(out, "td", NULL, item->found->headline);
	ftsan_html_element(out, "td", "code", item->place.function);
	fputs("<td class=\"code\">", out);
	ftsan_put_xml(out, item->place.file);
	if (item->place.file != NULL)
		fprintf(out, ":%d", item->place.line);
	fprintf(out, "</td><td class=\"number\">%" PRIu64 "</td></tr>\n",
		ftsan_found_count(item->found));
}

static void put_html_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	static const char columns[] =
		"<div class=\"wide\"><table>\n<tr><th>fingerprint</th><th>kind</th>"
		"<th>function</th><th>place</th><th>count</th></tr>\n";
	size_t hidden = report->session->n_found - report->session->n_shown;
	bool gone = item->news == FTSAN_NEWS_GONE;

	if (!gone && !item->suppressed) {
		ftsan_html_finding(report, item);
		return;
	}
	if (item->number == 1)
		fprintf(report->out, "<h2>%s</h2>\n%s",
			gone ? "Gone since the baseline" : "Suppressed", columns);
	put_row(report->out, item);
	if (item->number == (gone ? report->n_gone : hidden))
		fputs("</table></div>\n", report->out);
}

static void end_html(struct ftsan_report *report)
{
	FILE *out = report->out;

	ftsan_html_suppressions(out, report->suppressions);
	ftsan_html_modules(out, report->session);
	ftsan_html_coverage(out, report->session);
	ftsan_html_end(out);
}

const struct ftsan_format ftsan_format_html = {
	.name = "html",
	.begin = begin_html,
	.item = put_html_item,
	.end = end_html,
};
