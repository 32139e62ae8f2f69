/*
 * One self-contained page. Everything is in the HTML, so that it can be read where
 * scripts and styles are forbidden; its own policy allows no others than ours, so that a
 * name of the program that slipped through the escaping could still run nothing.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "report_html_page.h"
#include "report/report_html_parts.h"

static void put_base64(FILE *out, const unsigned char *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";

	for (size_t i = 0; i < length; i += 3) {
		unsigned group = (unsigned)bytes[i] << 16;

		group |= i + 1 < length ? (unsigned)bytes[i + 1] << 8 : 0;
		group |= i + 2 < length ? bytes[i + 2] : 0;
		fputc(digits[group >> 18], out);
		fputc(digits[group >> 12 & 63], out);
		fputc(i + 1 < length ? digits[group >> 6 & 63] : '=', out);
		fputc(i + 2 < length ? digits[group & 63] : '=', out);
	}
}

static void put_head(FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
	      "'none'; "
	      "base-uri 'none'; form-action 'none'; style-src 'sha256-",
	      out);
	put_base64(out, page_css_sum, sizeof(page_css_sum));
	fputs("'; script-src 'sha256-", out);
	put_base64(out, page_js_sum, sizeof(page_js_sum));
	fputs("'\">\n<meta name=\"viewport\" content=\"width=device-width, "
	      "initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
	      "<title>ftsan report</title>\n<style>",
	      out);
	fputs(page_css, out);
	fputs("</style>\n</head>\n<body>\n", out);
}

static void put_number(FILE *out, uint64_t number, const char *meaning)
{
	fprintf(out, "<li><b>%" PRIu64 "</b><span>%s</span></li>\n", number, meaning);
}

static void put_numbers(const struct ftsan_report *report)
{
	const struct ftsan_session *session = report->session;
	size_t hidden = session->n_found - session->n_shown;
	FILE *out = report->out;

	fputs("<ul class=\"numbers\">\n", out);
	put_number(out, session->n_shown,
		   ftsan_plural(session->n_shown, "finding", "findings"));
	if (report->baseline != NULL) {
		put_number(out, report->n_new, "new");
		put_number(out, session->n_shown - report->n_new, "known");
		put_number(out, report->n_gone, "gone");
	}
	if (hidden > 0)
		put_number(out, hidden, "suppressed");
	put_number(out, session->n_processes,
		   ftsan_plural(session->n_processes, "process", "processes"));
	if (session->runs.n > 1)
		put_number(out, session->runs.n, "runs");
	put_number(out, (uint64_t)ftsan_session_total(session, "buffers_published"),
		   "arrays watched");
	fputs("</ul>\n", out);
}

static void put_choice(FILE *out, const char *name, const char *label)
{
	fprintf(out,
		"<label>%s <select id=\"filter-%s\"><option value=\"\">all</option>"
		"</select></label>\n",
		label, name);
}

/* Hidden: without the script it would do nothing. */
static void put_filter(FILE *out)
{
	fputs("<div class=\"filter\" id=\"filter\" role=\"search\" hidden>\n"
	      "<label>Search <input id=\"filter-text\" type=\"search\" "
	      "autocomplete=\"off\"></label>\n",
	      out);
	put_choice(out, "kind", "Kind");
	put_choice(out, "confidence", "Confidence");
	put_choice(out, "module", "Module");
	put_choice(out, "baseline", "Baseline");
	fputs("<button type=\"button\" id=\"filter-open\">Open all</button>\n"
	      "<button type=\"button\" id=\"filter-close\">Close all</button>\n"
	      "<span class=\"soft\" id=\"filter-shown\" aria-live=\"polite\"></span>\n"
	      "</div>\n",
	      out);
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

static void begin_html(struct ftsan_report *report)
{
	FILE *out = report->out;

	put_head(out);
	fputs("<header class=\"page\">\n<h1>ftsan report</h1>\n", out);
	for (size_t i = 0; i < report->session->commands.n && i < 3; i++)
		ftsan_html_element(out, "div", "soft code",
				   report->session->commands.texts[i]);
	put_verdict(report);
	put_numbers(report);
	ftsan_html_warnings(out, report->session);
	fputs("</header>\n<main>\n", out);
	put_filter(out);
}

/* Suppressed and gone ones get a row only. */
static void put_row(FILE *out, const struct ftsan_item *item)
{
	fputs("<tr>", out);
	ftsan_html_element(out, "td", "code", item->found->fingerprint);
	ftsan_html_element(out, "td", NULL, ftsan_kind_headline(item->found->kind));
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
	ftsan_html_coverage(out, report->session);
	fputs("<footer>Made by ftsan " FTSAN_VERSION ".</footer>\n</main>\n<script>",
	      out);
	fputs(page_js, out);
	fputs("</script>\n</body>\n</html>\n", out);
}

const struct ftsan_format ftsan_format_html = {
	.name = "html",
	.begin = begin_html,
	.item = put_html_item,
	.end = end_html,
};
