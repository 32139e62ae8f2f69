#include <inttypes.h>

#include "common/common.h"
#include "report/report_html_parts.h"

static void put_row(FILE *out, const char *name, uint64_t number)
{
	fputs("<tr>", out);
	ftsan_html_element(out, "td", NULL, name);
	fprintf(out, "<td class=\"number\">%" PRIu64 "</td></tr>\n", number);
}

static void put_counted(FILE *out, const char *title, const struct ftsan_names *names)
{
	if (names->n == 0)
		return;
	fprintf(out, "<h2>%s</h2>\n<div class=\"wide\"><table>\n", title);
	for (size_t i = 0; i < names->n; i++)
		put_row(out, names->texts[i], names->counts[i]);
	fputs("</table></div>\n", out);
}

static void put_sums(FILE *out, const struct ftsan_session *session)
{
	static const struct {
		const char *sum, *name;
	} rows[] = {
		{"buffers_seen", "buffers seen"},
		{"buffers_guarded", "of these, guarded"},
		{"buffers_published", "of these, watched"},
		{"arrays_over_10ms", "arrays that lived over 10 ms"},
		{"arrays_over_10ms_published", "of these, watched"},
		{"operations_watched", "operations watched for hazards"},
		{"arrays_held", "arrays sealed for them"},
		{"headers_watched", "array headers watched"},
		{"traps", "stores trapped"},
		{"windows", "collision windows"},
		{"window_ms", "time in windows, ms"},
		{"collisions", "collisions"},
		{"quarantined", "freed buffers watched"},
		{"threads", "threads"},
	};

	fputs("<h2>Coverage</h2>\n", out);
	if (session->coverage.processes == 0) {
		fputs("<p>No process told what it watched.</p>\n", out);
		return;
	}
	fputs("<div class=\"wide\"><table>\n", out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put_row(out, rows[i].name,
			(uint64_t)ftsan_session_total(session, rows[i].sum));
	put_row(out, "processes that told this", session->coverage.processes);
	fputs("</table></div>\n", out);
}

static void put_engines(FILE *out, const struct ftsan_session *session)
{
	fputs("<h2>Engines</h2>\n<div class=\"wide\"><table>\n<tr><th>engine</th>"
	      "<th>state</th><th>processes</th><th>detail</th></tr>\n",
	      out);
	for (size_t i = 0; i < session->n_engines; i++) {
		const struct ftsan_engine_state *engine = &session->engines[i];
		const char *state = "active";

		if (!engine->active)
			state = "NOT ACTIVE";
		else if (engine->canary_known)
			state = engine->canary ? "active, canary caught"
					       : "active, canary NOT caught";
		fputs("<tr>", out);
		ftsan_html_element(out, "td", NULL, engine->name);
		ftsan_html_element(out, "td", NULL, state);
		fprintf(out, "<td class=\"number\">%" PRIu64 "</td><td>",
			engine->processes);
		ftsan_put_xml(out, engine->reason);
		ftsan_put_xml(out, engine->detail);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static void put_gil(FILE *out, const struct ftsan_coverage *coverage)
{
	fputs("<h2>GIL</h2>\n<div class=\"wide\"><table>\n", out);
	put_row(out, "processes with the GIL off", coverage->gil[FTSAN_GIL_OFF]);
	put_row(out, "on", coverage->gil[FTSAN_GIL_ON]);
	put_row(out, "unknown", coverage->gil[FTSAN_GIL_UNKNOWN]);
	fputs("</table></div>\n", out);
}

void ftsan_html_coverage(FILE *out, const struct ftsan_session *session)
{
	fputs("<div class=\"columns\">\n<div>\n", out);
	put_sums(out, session);
	fputs("</div>\n<div>\n", out);
	put_gil(out, &session->coverage);
	put_counted(out, "Watched", &session->coverage.watched);
	put_counted(out, "Arrays left out", &session->coverage.left_out);
	put_counted(out, "Modules that asked for the GIL", &session->coverage.requesters);
	put_counted(out, "Python", &session->pythons);
	fputs("</div>\n</div>\n", out);
	put_engines(out, session);
	put_counted(out, "Commands", &session->commands);
}

static void put_warning(FILE *out, uint64_t count, const char *one, const char *many)
{
	if (count > 0)
		fprintf(out, "<p class=\"warning\">%" PRIu64 " %s</p>\n", count,
			ftsan_plural(count, one, many));
}

void ftsan_html_warnings(FILE *out, const struct ftsan_session *session)
{
	uint64_t inactive = 0, dead = 0;

	for (size_t i = 0; i < session->n_engines; i++) {
		const struct ftsan_engine_state *engine = &session->engines[i];

		if (!engine->active)
			inactive += engine->processes;
		else if (engine->canary_known && !engine->canary)
			dead += engine->processes;
	}
	put_warning(out, inactive,
		    "process had an engine that was not active: see below.",
		    "processes had an engine that was not active: see below.");
	put_warning(out, dead,
		    "process did not catch its own canary: its silence means "
		    "nothing.",
		    "processes did not catch their own canaries: their silence means "
		    "nothing.");
	put_warning(out, session->coverage.gil[FTSAN_GIL_ON],
		    "process had the GIL on: threads took turns, so few races can show.",
		    "processes had the GIL on: threads took turns, so few races can "
		    "show.");
	put_warning(out, session->n_unended,
		    "process wrote no end record: it was killed, or still runs.",
		    "processes wrote no end record: they were killed, or still run.");
	put_warning(out, (uint64_t)session->lost, "finding is missing in the logs.",
		    "findings are missing in the logs.");
	put_warning(out, session->bad_lines, "line of the logs could not be read.",
		    "lines of the logs could not be read.");
}

void ftsan_html_suppressions(FILE *out, const struct ftsan_suppressions *suppressions)
{
	if (suppressions->n == 0)
		return;
	fputs("<h2>Suppressions</h2>\n<div class=\"wide\"><table>\n<tr><th>line</th>"
	      "<th>text</th><th>state</th><th>findings</th></tr>\n",
	      out);
	for (size_t i = 0; i < suppressions->n; i++) {
		const struct ftsan_suppression *suppression = &suppressions->list[i];
		const char *state = suppression->matched.n > 0 ? "used" : "unused";

		fputs("<tr>", out);
		ftsan_html_element(out, "td", "code", suppression->place);
		ftsan_html_element(out, "td", "code", suppression->text);
		ftsan_html_element(out, "td", NULL,
				   suppression->expired ? "expired, not applied" : state);
		fprintf(out, "<td class=\"number\">%zu</td></tr>\n",
			suppression->matched.n);
	}
	fputs("</table></div>\n", out);
}
