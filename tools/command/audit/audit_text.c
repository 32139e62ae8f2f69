/* The audit for a terminal: a table for each module, the worst first. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit_write.h"
#include "audit/compare.h"
#include "view/view.h"

enum { CLASS_MAX = 12, STATIC_MAX = 40, WRITER_MAX = 44, TESTS_SHOWN = 2 };

/* struct columns - widths of the two that have names in them */
struct columns {
	int name, writer;
};

/* At most @width bytes, with the template arguments of C++ left out. malloc'ed. */
static char *cell(const char *text, size_t width)
{
	char brief[FTSAN_SHORT_NAME];

	ftsan_view_short_name(text, brief, sizeof(brief));
	if (strlen(brief) <= width)
		return ftsan_xstrdup(brief);
	return ftsan_xprintf("%.*s...", (int)width - 3, brief);
}

static void put_cell(FILE *out, const char *text, size_t width_max, int width)
{
	char *short_text = cell(text, width_max);
	int length = (int)strlen(short_text);

	ftsan_put_text(out, short_text);
	fprintf(out, "%*s", length < width ? width - length : 0, "");
	free(short_text);
}

static bool is_listed(const struct ftsan_audit_paper *paper,
		      const struct ftsan_audit_entry *entry)
{
	return paper->all || !ftsan_audit_class_is_quiet(entry->class) ||
	       entry->grade != FTSAN_AUDIT_COUNTED;
}

static int at_least(int width, const char *text, size_t most)
{
	char *short_text = cell(text, most);
	int length = (int)strlen(short_text);

	free(short_text);
	return length > width ? length : width;
}

static struct columns measure(const struct ftsan_audit_paper *paper)
{
	struct columns columns = {sizeof("STATIC") - 1, sizeof("WRITER") - 1};

	for (size_t i = 0; i < paper->audit->n_entries; i++) {
		const struct ftsan_audit_entry *entry = &paper->audit->entries[i];

		if (!is_listed(paper, entry))
			continue;
		columns.name = at_least(columns.name, ftsan_audit_static_text(entry),
					STATIC_MAX);
		columns.writer = at_least(columns.writer, entry->writer, WRITER_MAX);
	}
	return columns;
}

static void put_list(FILE *out, const char *before, const struct ftsan_names *names,
		     size_t shown)
{
	fputs(before, out);
	for (size_t i = 0; i < names->n && i < shown; i++) {
		fputs(i > 0 ? ", " : " ", out);
		ftsan_put_text(out, names->texts[i]);
	}
	if (names->n > shown)
		fprintf(out, " and %zu more", names->n - shown);
}

static void put_notes(FILE *out, const struct ftsan_audit_entry *entry)
{
	char *source = ftsan_audit_source_text(entry);

	if (entry->locks.n > 0)
		put_list(out, "under", &entry->locks, TESTS_SHOWN);
	else
		fputs(entry->grade == FTSAN_AUDIT_COUNTED ? "-" : "no lock", out);
	if (entry->detached && entry->grade != FTSAN_AUDIT_COUNTED)
		fputs("; GIL released", out);
	if (entry->several)
		fputs("; several threads", out);
	if (source != NULL) {
		fputs("; ", out);
		ftsan_put_text(out, source);
	}
	if (entry->tests.n > 0)
		put_list(out, "; in", &entry->tests, TESTS_SHOWN);
	free(source);
}

static void put_news(FILE *out, const struct ftsan_audit_entry *entry)
{
	char *change;

	if (entry->news == FTSAN_AUDIT_NEW)
		fputs("NEW; ", out);
	if (entry->news != FTSAN_AUDIT_CHANGED)
		return;
	change = ftsan_audit_change_text(entry);
	ftsan_put_text(out, change);
	fputs("; ", out);
	free(change);
}

static void put_entry(FILE *out, const struct ftsan_audit_entry *entry,
		      const struct columns *columns)
{
	fprintf(out, "  %-8s", ftsan_audit_grade_name(entry->grade));
	put_cell(out, entry->class, CLASS_MAX, CLASS_MAX + 1);
	put_cell(out, ftsan_audit_static_text(entry), STATIC_MAX, columns->name);
	fputs("  ", out);
	put_cell(out, entry->writer, WRITER_MAX, columns->writer);
	fprintf(out, "  %8" PRIu64 "  %5zu  ", entry->stores, entry->words.n);
	put_news(out, entry);
	put_notes(out, entry);
	fputc('\n', out);
}

static void put_module(FILE *out, const struct ftsan_audit_module *module,
		       const struct columns *columns, bool table)
{
	fputc('\n', out);
	ftsan_put_text(out, module->path);
	fprintf(out, "\n  sealed %.1f %% of the time; %" PRIu64 " %s trapped%s\n",
		ftsan_audit_sealed_percent(module), module->stores,
		ftsan_plural(module->stores, "store", "stores"),
		module->asks_for_gil ? "; it asks for the GIL" : "");
	if (module->lock_pages > 0)
		fprintf(out,
			"  %" PRIu64 " of %" PRIu64
			" pages hold locks of libc: mode=race "
			"sees who loads there by watchpoints only\n",
			module->lock_pages, module->pages);
	if (table)
		fprintf(out, "  %-8s%-13s%-*s  %-*s  %8s  %5s  %s\n", "GRADE", "CLASS",
			columns->name, "STATIC", columns->writer, "WRITER", "STORES",
			"WORDS", "LOCKS, PLACE, TESTS");
}

/* "and 12 atomic, 3 guard: these need no lock" */
static void put_quiet(FILE *out, const struct ftsan_names *quiet)
{
	for (size_t i = 0; i < quiet->n; i++) {
		fprintf(out, "%s%" PRIu64 " ", i == 0 ? "  and " : ", ",
			quiet->counts[i]);
		ftsan_put_text(out, quiet->texts[i]);
	}
	if (quiet->n > 0)
		fputs(", which need no lock (--all lists them)\n", out);
}

static size_t put_section(FILE *out, const struct ftsan_audit_paper *paper, size_t first,
			  const struct columns *columns)
{
	const struct ftsan_audit *audit = paper->audit;
	size_t module = audit->entries[first].module, end = first, listed = 0;
	struct ftsan_names quiet = {.n = 0};

	while (end < audit->n_entries && audit->entries[end].module == module)
		listed += is_listed(paper, &audit->entries[end++]);
	put_module(out, &audit->modules[module], columns, listed > 0);
	for (size_t i = first; i < end; i++) {
		if (is_listed(paper, &audit->entries[i]))
			put_entry(out, &audit->entries[i], columns);
		else
			ftsan_names_add(&quiet, audit->entries[i].class, 1);
	}
	put_quiet(out, &quiet);
	ftsan_names_release(&quiet);
	return end;
}

static void put_comparison(FILE *out, const struct ftsan_audit_paper *paper)
{
	const struct ftsan_audit *audit = paper->audit;
	size_t bad = 0;

	if (!audit->compared)
		return;
	for (size_t i = 0; i < audit->n_entries; i++)
		bad += ftsan_audit_is_bad_news(&audit->entries[i], paper->least);
	fprintf(out,
		"\nftsan: compared with the baseline: %zu new, %zu changed, %zu gone, "
		"%zu "
		"the same; %zu new or worse under no lock (%s or more)\n",
		ftsan_audit_count_news(audit, FTSAN_AUDIT_NEW),
		ftsan_audit_count_news(audit, FTSAN_AUDIT_CHANGED), audit->n_gone,
		ftsan_audit_count_news(audit, FTSAN_AUDIT_SAME), bad,
		ftsan_audit_grade_name(paper->least));
	for (size_t i = 0; i < audit->n_gone; i++) {
		const struct ftsan_audit_entry *entry = &audit->gone[i];

		fputs("ftsan:   gone: ", out);
		ftsan_put_text(out, ftsan_audit_static_text(entry));
		fputs(" of ", out);
		ftsan_put_text(out, entry->writer_module);
		fputs(", written by ", out);
		ftsan_put_text(out, entry->writer);
		fprintf(out, " (%s, ", ftsan_audit_grade_name(entry->grade));
		ftsan_put_text(out, entry->class);
		fputs(")\n", out);
	}
}

/* What the classes that occur mean. */
static void put_legend(FILE *out, const struct ftsan_audit_paper *paper)
{
	struct ftsan_names classes = {.n = 0};

	for (size_t i = 0; i < paper->audit->n_entries; i++)
		if (is_listed(paper, &paper->audit->entries[i]))
			ftsan_names_add(&classes, paper->audit->entries[i].class, 1);
	if (classes.n > 0)
		fputc('\n', out);
	for (size_t i = 0; i < classes.n; i++) {
		ftsan_put_text(out, classes.texts[i]);
		fprintf(out, ": %s\n", ftsan_audit_class_text(classes.texts[i]));
	}
	ftsan_names_release(&classes);
}

void ftsan_audit_write_text(FILE *out, const struct ftsan_audit_paper *paper)
{
	const struct ftsan_audit *audit = paper->audit;
	const struct columns columns = measure(paper);
	char *text = ftsan_audit_verdict(paper);

	fputs("ftsan: ", out);
	ftsan_put_text(out, text);
	fputc('\n', out);
	free(text);
	for (unsigned i = 0; (text = ftsan_audit_warning(audit, i)) != NULL; i++) {
		fprintf(out, "ftsan: warning: %s\n", text);
		free(text);
	}
	for (size_t i = 0; i < audit->n_entries;)
		i = put_section(out, paper, i, &columns);
	put_legend(out, paper);
	put_comparison(out, paper);
}
