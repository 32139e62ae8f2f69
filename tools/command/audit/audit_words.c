#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit_write.h"
#include "audit/compare.h"
#include "base/base.h"

static size_t count_class(const struct ftsan_audit *audit, const char *class)
{
	size_t n = 0;

	for (size_t i = 0; i < audit->n_entries; i++)
		n += strcmp(audit->entries[i].class, class) == 0;
	return n;
}

static size_t count_written(const struct ftsan_audit *audit)
{
	size_t n = 0, last = SIZE_MAX;

	/* They are sorted by module. */
	for (size_t i = 0; i < audit->n_entries; i++) {
		n += audit->entries[i].module != last;
		last = audit->entries[i].module;
	}
	return n;
}

static void put_counts(FILE *out, const struct ftsan_audit *audit)
{
	size_t locked = count_class(audit, "locked");
	size_t undecided = count_class(audit, "undecided");
	size_t high = ftsan_audit_count(audit, FTSAN_AUDIT_HIGH);
	size_t medium = ftsan_audit_count(audit, FTSAN_AUDIT_MEDIUM);
	size_t low = ftsan_audit_count(audit, FTSAN_AUDIT_LOW);
	size_t counted = ftsan_audit_count(audit, FTSAN_AUDIT_COUNTED);

	fprintf(out, "under no lock: %zu high, %zu medium, %zu low; %zu locked, %zu ",
		high, medium, low, locked, undecided);
	fprintf(out, "undecided, %zu that need no lock", counted - locked - undecided);
}

char *ftsan_audit_verdict(const struct ftsan_audit_paper *paper)
{
	const struct ftsan_audit *audit = paper->audit;
	size_t modules = audit->module_paths.n, written = count_written(audit);
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	if (audit->sealing == 0)
		return ftsan_xprintf("NOTHING WATCHED (%s)", paper->nothing);
	out = open_memstream(&text, &length);
	if (out == NULL)
		return ftsan_xstrdup("AUDITED");
	fprintf(out, "AUDITED (%zu %s, %zu written after import; %zu %s; ", modules,
		ftsan_plural(modules, "module", "modules"), written, audit->n_entries,
		ftsan_plural(audit->n_entries, "static", "statics"));
	put_counts(out, audit);
	fputc(')', out);
	if (fclose(out) != 0) {
		free(text);
		return ftsan_xstrdup("AUDITED");
	}
	return text;
}

char *ftsan_audit_warning(const struct ftsan_audit *audit, unsigned number)
{
	uint64_t cut = audit->sealing - audit->complete;

	if (cut > 0 && number-- == 0)
		return ftsan_xprintf("%" PRIu64 " %s: killed, or still running; what it "
				     "wrote is missing here",
				     cut,
				     ftsan_plural(cut, "process left no inventory",
						  "processes left no inventory"));
	if (audit->left_out > 0 && number == 0)
		return ftsan_xprintf("%" PRIu64 " stores found no room in the records: "
				     "choose modules with --options statics=NAMES",
				     audit->left_out);
	return NULL;
}

char *ftsan_audit_source_text(const struct ftsan_audit_entry *entry)
{
	return entry->file == NULL
		       ? NULL
		       : ftsan_xprintf("%s:%d", ftsan_str_base_name(entry->file),
				       entry->line);
}

char *ftsan_audit_change_text(const struct ftsan_audit_entry *entry)
{
	if (entry->old_grade == entry->grade)
		return ftsan_xprintf("was %s", entry->old_class);
	return ftsan_xprintf("was %s, %s", entry->old_class,
			     ftsan_audit_grade_name(entry->old_grade));
}

double ftsan_audit_sealed_percent(const struct ftsan_audit_module *module)
{
	return module->processes == 0
		       ? 0
		       : (double)module->permille / (double)module->processes / 10;
}

const char *ftsan_audit_static_text(const struct ftsan_audit_entry *entry)
{
	return entry->name[0] != '\0' ? entry->name : "(no name)";
}
