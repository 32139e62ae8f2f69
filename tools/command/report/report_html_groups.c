/* The table that the page begins with, and the picture of what ran of each module. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/common.h"
#include "report/report_html_parts.h"

static void put_group(FILE *out, const struct ftsan_found *found)
{
	char name[FTSAN_SHORT_NAME];
	const char *culprit = found->culprit != NULL ? found->culprit : "";

	fputs("<tr><td>", out);
	ftsan_html_element(out, "span", ftsan_html_badge(found->confidence),
			   found->headline);
	fputs("</td><td class=\"code\"><a href=\"#f-", out);
	ftsan_put_xml(out, found->fingerprint);
	fputs("\">", out);
	ftsan_put_xml(out, culprit[0] != '\0'
				   ? ftsan_view_short_name(culprit, name, sizeof(name))
				   : found->fingerprint);
	fputs("</a></td>", out);
	ftsan_html_element(out, "td", "code",
			   found->culprit_module != NULL ? found->culprit_module : "");
	ftsan_html_element(out, "td", NULL, found->confidence);
	fprintf(out, "<td class=\"number\">%" PRIu64 "</td><td class=\"code\">",
		ftsan_found_count(found));
	if (found->tests.n > 0)
		ftsan_put_xml(out, found->tests.texts[0]);
	if (found->tests.n > 1)
		fprintf(out, " and %zu more", found->tests.n - 1);
	fputs("</td></tr>\n", out);
}

void ftsan_html_groups(FILE *out, const struct ftsan_session *session)
{
	const struct ftsan_found **found;
	size_t n;

	if (session->n_shown == 0)
		return;
	found = ftsan_session_ordered(session, &n);
	fputs("<div class=\"wide\"><table class=\"groups\">\n<tr><th>what</th>"
	      "<th>function</th><th>module</th><th>proof</th><th>times</th><th>tests</th>"
	      "</tr>\n",
	      out);
	for (size_t i = 0; i < n; i++)
		put_group(out, found[i]);
	fputs("</table></div>\n", out);
	free(found);
}

/* --- modules ------------------------------------------------------------------------ */

enum { BAR = 240 };

/* At least a pixel of what is there at all. */
static unsigned width_of(uint64_t part, uint64_t all)
{
	unsigned width = all > 0 ? (unsigned)(part * BAR / all) : 0;

	return part > 0 && width == 0 ? 1 : width;
}

static void put_bar(FILE *out, const struct ftsan_module_seen *seen)
{
	fprintf(out,
		"<svg width=\"%d\" height=\"12\" role=\"img\" aria-label=\"%" PRIu64
		" of %" PRIu64 " functions, %" PRIu64 " on shared memory\">"
		"<rect class=\"all\" width=\"%d\" height=\"12\"></rect>"
		"<rect class=\"ran\" width=\"%u\" height=\"12\"></rect>"
		"<rect class=\"shared\" width=\"%u\" height=\"12\"></rect></svg>",
		BAR, seen->seen, seen->functions, seen->shared, BAR,
		width_of(seen->seen, seen->functions),
		width_of(seen->shared, seen->functions));
}

void ftsan_html_modules(FILE *out, const struct ftsan_session *session)
{
	size_t n;
	struct ftsan_module_line *lines = ftsan_modules_ranked(session, &n);

	if (n == 0)
		return;
	fputs("<h2>Modules</h2>\n<p class=\"soft\">Functions that use memory: those that "
	      "threads ran, and of these on memory that they share.</p>\n"
	      "<div class=\"wide\"><table>\n<tr><th>module</th><th>functions</th>"
	      "<th>ran</th><th>shared</th><th>findings</th><th></th></tr>\n",
	      out);
	for (size_t i = 0; i < n; i++) {
		const struct ftsan_module_seen *seen = lines[i].seen;

		fputs("<tr>", out);
		ftsan_html_element(out, "td", "code", lines[i].name);
		fprintf(out,
			"<td class=\"number\">%" PRIu64
			"</td><td class=\"number\">%" PRIu64
			"</td><td class=\"number\">%" PRIu64
			"</td><td class=\"number\">%" PRIu64 "</td><td>",
			seen->functions, seen->seen, seen->shared, lines[i].faults);
		put_bar(out, seen);
		fputs("</td></tr>\n", out);
	}
	fputs("</table></div>\n", out);
	free(lines);
}
