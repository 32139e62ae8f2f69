/* The audit as a page, in the frame of the report's. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit_write.h"
#include "audit/compare.h"
#include "report/report.h"

static const char *badge_of(enum ftsan_audit_grade grade)
{
	return grade == FTSAN_AUDIT_HIGH     ? "badge strong"
	       : grade == FTSAN_AUDIT_MEDIUM ? "badge middle"
					     : "badge";
}

static void put_fact(FILE *out, const char *name, const char *text)
{
	fprintf(out, "<dt>%s</dt><dd>", name);
	ftsan_put_xml(out, text);
	fputs("</dd>\n", out);
}

static void put_facts(FILE *out, const struct ftsan_audit_entry *entry)
{
	char *source = ftsan_audit_source_text(entry);

	fputs("<dl class=\"facts\">\n", out);
	put_fact(out, "Class", ftsan_audit_class_text(entry->class));
	fputs("<dt>Writer</dt><dd>", out);
	ftsan_html_element(out, "code", NULL, entry->writer);
	fputs(" of ", out);
	ftsan_put_xml(out, entry->writer_module);
	if (source != NULL) {
		fputs(", ", out);
		ftsan_html_element(out, "code", NULL, source);
	}
	fprintf(out,
		"</dd>\n<dt>Stores</dt><dd>%" PRIu64
		" to %zu %s, the first at +0x%" PRIx64 "</dd>\n",
		entry->stores, entry->words.n,
		ftsan_plural(entry->words.n, "word", "words"), entry->offset);
	ftsan_html_names(out, "Locks", &entry->locks);
	if (entry->detached)
		put_fact(out, "GIL", "released at some store: it does not order this");
	if (entry->several)
		put_fact(out, "Threads", "several stored");
	ftsan_html_names(out, "Called by", &entry->callers);
	ftsan_html_names(out, "Tests", &entry->tests);
	fputs("<dt>Id</dt><dd>", out);
	ftsan_html_element(out, "code", NULL, entry->id);
	fputs("</dd>\n</dl>\n", out);
	free(source);
}

static void put_news(FILE *out, const struct ftsan_audit_entry *entry)
{
	char *change;

	if (entry->news == FTSAN_AUDIT_UNKNOWN)
		return;
	ftsan_html_element(out, "span",
			   entry->news == FTSAN_AUDIT_NEW ? "badge strong" : "badge",
			   ftsan_audit_news_word(entry->news));
	if (entry->news != FTSAN_AUDIT_CHANGED)
		return;
	change = ftsan_audit_change_text(entry);
	ftsan_html_element(out, "span", "badge", change);
	free(change);
}

static void put_entry(FILE *out, const struct ftsan_audit *audit,
		      const struct ftsan_audit_entry *entry)
{
	const char *news = ftsan_audit_news_word(entry->news);

	fputs("<details class=\"finding\"", out);
	ftsan_html_attribute(out, "data-kind", entry->class);
	ftsan_html_attribute(out, "data-confidence", ftsan_audit_grade_name(entry->grade));
	ftsan_html_attribute(out, "data-baseline", news);
	ftsan_html_attribute(out, "data-modules", audit->modules[entry->module].name);
	fputs(">\n<summary>", out);
	ftsan_html_element(out, "span", badge_of(entry->grade),
			   ftsan_audit_grade_name(entry->grade));
	ftsan_html_element(out, "span", "badge", entry->class);
	put_news(out, entry);
	ftsan_html_element(out, "h3", NULL, ftsan_audit_static_text(entry));
	fputs("<span class=\"where code\">", out);
	ftsan_put_xml(out, entry->writer);
	fputs(entry->locks.n > 0 ? " under " : "", out);
	ftsan_put_xml(out, entry->locks.n > 0 ? entry->locks.texts[0] : "");
	fputs("</span></summary>\n<div class=\"body\">\n", out);
	put_facts(out, entry);
	fputs("</div>\n</details>\n", out);
}

static void put_module(FILE *out, const struct ftsan_audit_module *module)
{
	fputs("<h2>", out);
	ftsan_put_xml(out, module->name);
	fputs("</h2>\n<p class=\"soft\"><span class=\"code\">", out);
	ftsan_put_xml(out, module->path);
	fprintf(out, "</span> sealed %.1f %% of the time, %" PRIu64 " %s trapped%s</p>\n",
		ftsan_audit_sealed_percent(module), module->stores,
		ftsan_plural(module->stores, "store", "stores"),
		module->asks_for_gil ? "; it asks for the GIL" : "");
}

static void put_numbers(FILE *out, const struct ftsan_audit *audit)
{
	fputs("<ul class=\"numbers\">\n", out);
	for (int grade = FTSAN_AUDIT_HIGH; grade > FTSAN_AUDIT_COUNTED; grade--)
		ftsan_html_number(out,
				  ftsan_audit_count(audit, (enum ftsan_audit_grade)grade),
				  ftsan_audit_grade_name((enum ftsan_audit_grade)grade));
	ftsan_html_number(out, ftsan_audit_count(audit, FTSAN_AUDIT_COUNTED),
			  "locked, or need no lock");
	ftsan_html_number(out, audit->module_paths.n,
			  ftsan_plural(audit->module_paths.n, "module", "modules"));
	ftsan_html_number(out, audit->processes,
			  ftsan_plural(audit->processes, "process", "processes"));
	if (audit->compared) {
		ftsan_html_number(out, ftsan_audit_count_news(audit, FTSAN_AUDIT_NEW),
				  "new");
		ftsan_html_number(out, ftsan_audit_count_news(audit, FTSAN_AUDIT_CHANGED),
				  "changed");
		ftsan_html_number(out, audit->n_gone, "gone");
	}
	fputs("</ul>\n", out);
}

static void put_gone(FILE *out, const struct ftsan_audit *audit)
{
	if (audit->n_gone == 0)
		return;
	fputs("<h2>Gone since the baseline</h2>\n<div class=\"wide\"><table>\n<tr>"
	      "<th>grade</th><th>class</th><th>module</th><th>static</th><th>writer</th>"
	      "</tr>\n",
	      out);
	for (size_t i = 0; i < audit->n_gone; i++) {
		const struct ftsan_audit_entry *entry = &audit->gone[i];

		fputs("<tr>", out);
		ftsan_html_element(out, "td", NULL, ftsan_audit_grade_name(entry->grade));
		ftsan_html_element(out, "td", NULL, entry->class);
		ftsan_html_element(out, "td", "code", entry->writer_module);
		ftsan_html_element(out, "td", "code", ftsan_audit_static_text(entry));
		ftsan_html_element(out, "td", "code", entry->writer);
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static void put_header(FILE *out, const struct ftsan_audit_paper *paper)
{
	const struct ftsan_audit *audit = paper->audit;
	char *text = ftsan_audit_verdict(paper);

	fputs("<header class=\"page\">\n<h1>ftsan audit</h1>\n", out);
	for (size_t i = 0; i < audit->commands.n && i < 3; i++)
		ftsan_html_element(out, "div", "soft code", audit->commands.texts[i]);
	ftsan_html_element(out, "p",
			   audit->sealing > 0 ? "verdict" : "verdict nothing-watched",
			   text);
	free(text);
	put_numbers(out, audit);
	for (unsigned i = 0; (text = ftsan_audit_warning(audit, i)) != NULL; i++) {
		ftsan_html_element(out, "p", "warning", text);
		free(text);
	}
	fputs("</header>\n<main>\n", out);
}

void ftsan_audit_write_html(FILE *out, const struct ftsan_audit_paper *paper)
{
	const struct ftsan_audit *audit = paper->audit;

	ftsan_html_begin(out, "ftsan audit");
	put_header(out, paper);
	ftsan_html_filter(out, "Class", "Grade");
	for (size_t i = 0; i < audit->n_entries; i++) {
		const struct ftsan_audit_entry *entry = &audit->entries[i];

		if (i == 0 || entry->module != audit->entries[i - 1].module)
			put_module(out, &audit->modules[entry->module]);
		put_entry(out, audit, entry);
	}
	put_gone(out, audit);
	ftsan_html_end(out);
}
