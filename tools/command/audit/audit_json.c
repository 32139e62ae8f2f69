/* The audit for programs, and for the next one's --baseline: docs/audit.md. */
#include <inttypes.h>
#include <stdlib.h>

#include "audit/audit_write.h"
#include "audit/compare.h"

static void set_bool(json_t *object, const char *name, bool value)
{
	json_object_set_new(object, name, json_boolean(value));
}

static void set_news(json_t *json, const struct ftsan_audit_entry *entry)
{
	ftsan_json_set_text(json, "baseline", ftsan_audit_news_word(entry->news));
	if (entry->news != FTSAN_AUDIT_CHANGED)
		return;
	ftsan_json_set_text(json, "old_class", entry->old_class);
	ftsan_json_set_text(json, "old_grade", ftsan_audit_grade_name(entry->old_grade));
}

static json_t *entry_json(const struct ftsan_audit_entry *entry)
{
	json_t *json = json_object();

	ftsan_json_set_text(json, "id", entry->id);
	json_object_set_new(json, "static", ftsan_json_text(entry->name));
	json_object_set_new(json, "offset", json_sprintf("0x%" PRIx64, entry->offset));
	ftsan_json_set_number(json, "words", entry->words.n);
	ftsan_json_set_text(json, "writer", entry->writer);
	ftsan_json_set_text(json, "writer_module", entry->writer_module);
	ftsan_json_set_text(json, "file", entry->file);
	if (entry->line > 0)
		ftsan_json_set_number(json, "line", (uint64_t)entry->line);
	ftsan_json_set_text(json, "grade", ftsan_audit_grade_name(entry->grade));
	ftsan_json_set_text(json, "class", entry->class);
	ftsan_json_set_text(json, "meaning", ftsan_audit_class_text(entry->class));
	json_object_set_new(json, "classes", ftsan_json_counted(&entry->classes));
	ftsan_json_set_number(json, "stores", entry->stores);
	json_object_set_new(json, "locks", ftsan_json_listed(&entry->locks));
	json_object_set_new(json, "tests", ftsan_json_listed(&entry->tests));
	json_object_set_new(json, "callers", ftsan_json_listed(&entry->callers));
	set_bool(json, "gil_released", entry->detached);
	set_bool(json, "several_threads", entry->several);
	set_news(json, entry);
	return json;
}

static json_t *module_json(const struct ftsan_audit *audit, size_t number)
{
	const struct ftsan_audit_module *module = &audit->modules[number];
	json_t *json = json_object(), *statics = json_array();

	ftsan_json_set_text(json, "name", module->name);
	ftsan_json_set_text(json, "path", module->path);
	ftsan_json_set_text(json, "build_id", module->build_id);
	ftsan_json_set_number(json, "pages", module->pages);
	ftsan_json_set_number(json, "lock_pages", module->lock_pages);
	ftsan_json_set_number(json, "stores", module->stores);
	json_object_set_new(json, "sealed_percent",
			    json_real(ftsan_audit_sealed_percent(module)));
	set_bool(json, "asks_for_gil", module->asks_for_gil);
	for (size_t i = 0; i < audit->n_entries; i++)
		if (audit->entries[i].module == number)
			json_array_append_new(statics, entry_json(&audit->entries[i]));
	json_object_set_new(json, "statics", statics);
	return json;
}

static json_t *totals_json(const struct ftsan_audit *audit)
{
	json_t *json = json_object();
	struct ftsan_names classes = {.n = 0};

	for (int grade = FTSAN_AUDIT_COUNTED; grade < FTSAN_AUDIT_GRADES; grade++)
		ftsan_json_set_number(
			json, ftsan_audit_grade_name((enum ftsan_audit_grade)grade),
			ftsan_audit_count(audit, (enum ftsan_audit_grade)grade));
	for (size_t i = 0; i < audit->n_entries; i++)
		ftsan_names_add(&classes, audit->entries[i].class, 1);
	json_object_set_new(json, "classes", ftsan_json_counted(&classes));
	ftsan_names_release(&classes);
	return json;
}

static json_t *gone_json(const struct ftsan_audit_entry *entry)
{
	json_t *json = json_object();

	ftsan_json_set_text(json, "id", entry->id);
	json_object_set_new(json, "static", ftsan_json_text(entry->name));
	ftsan_json_set_text(json, "writer", entry->writer);
	ftsan_json_set_text(json, "module", entry->writer_module);
	ftsan_json_set_text(json, "grade", ftsan_audit_grade_name(entry->grade));
	ftsan_json_set_text(json, "class", entry->class);
	return json;
}

static json_t *comparison_json(const struct ftsan_audit_paper *paper)
{
	const struct ftsan_audit *audit = paper->audit;
	json_t *json = json_object(), *gone = json_array(), *bad = json_array();

	for (size_t i = 0; i < audit->n_entries; i++)
		if (ftsan_audit_is_bad_news(&audit->entries[i], paper->least))
			json_array_append_new(bad, json_string(audit->entries[i].id));
	for (size_t i = 0; i < audit->n_gone; i++)
		json_array_append_new(gone, gone_json(&audit->gone[i]));
	ftsan_json_set_number(json, "new",
			      ftsan_audit_count_news(audit, FTSAN_AUDIT_NEW));
	ftsan_json_set_number(json, "changed",
			      ftsan_audit_count_news(audit, FTSAN_AUDIT_CHANGED));
	ftsan_json_set_number(json, "same",
			      ftsan_audit_count_news(audit, FTSAN_AUDIT_SAME));
	json_object_set_new(json, "gone", gone);
	json_object_set_new(json, "worse", bad);
	ftsan_json_set_text(json, "grade", ftsan_audit_grade_name(paper->least));
	return json;
}

static json_t *warnings_json(const struct ftsan_audit *audit)
{
	json_t *list = json_array();
	char *text;

	for (unsigned i = 0; (text = ftsan_audit_warning(audit, i)) != NULL; i++) {
		json_array_append_new(list, json_string(text));
		free(text);
	}
	return list;
}

void ftsan_audit_write_json(FILE *out, const struct ftsan_audit_paper *paper)
{
	const struct ftsan_audit *audit = paper->audit;
	json_t *json = json_object(), *modules = json_array();
	char *verdict = ftsan_audit_verdict(paper);

	ftsan_json_set_number(json, "v", 1);
	ftsan_json_set_text(json, "type", "audit");
	ftsan_json_set_text(json, "ftsan", FTSAN_VERSION);
	ftsan_json_set_text(json, "verdict",
			    audit->sealing > 0 ? "audited" : "nothing-watched");
	ftsan_json_set_text(json, "verdict_text", verdict);
	json_object_set_new(json, "warnings", warnings_json(audit));
	json_object_set_new(json, "commands", ftsan_json_listed(&audit->commands));
	json_object_set_new(json, "pythons", ftsan_json_listed(&audit->pythons));
	ftsan_json_set_number(json, "processes", audit->processes);
	json_object_set_new(json, "totals", totals_json(audit));
	for (size_t i = 0; i < audit->module_paths.n; i++)
		json_array_append_new(modules, module_json(audit, i));
	json_object_set_new(json, "modules", modules);
	if (audit->compared)
		json_object_set_new(json, "comparison", comparison_json(paper));
	json_dumpf(json, out, JSON_INDENT(1));
	fputc('\n', out);
	json_decref(json);
	free(verdict);
}
