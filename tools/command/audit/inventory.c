#include "audit/inventory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/place.h"
#include "log/log.h"
#include "view/view.h"

enum { SHORT = 192 };

/* --- modules ------------------------------------------------------------------- */

static size_t module_number(struct ftsan_audit *audit, const char *path)
{
	size_t known = audit->module_paths.n;
	size_t number = ftsan_names_add(&audit->module_paths, path, 1);
	struct ftsan_audit_module *module;
	char name[SHORT];

	if (number < known)
		return number;
	audit->modules = ftsan_xgrow(audit->modules, known, &audit->modules_capacity,
				     sizeof(*module));
	module = &audit->modules[number];
	memset(module, 0, sizeof(*module));
	ftsan_lasting_module(name, sizeof(name), path);
	module->path = ftsan_clean_text(path);
	module->name = ftsan_clean_text(name);
	module->build_id = ftsan_xstrdup("");
	return number;
}

static void take_module(struct ftsan_audit *audit, struct ftsan_audit_source *source,
			const json_t *record)
{
	size_t number = module_number(audit, ftsan_member_text(record, "module"));
	struct ftsan_audit_module *module = &audit->modules[number];
	const char *build_id = ftsan_member_text(record, "build_id");

	if (module->build_id[0] == '\0' && build_id[0] != '\0') {
		free(module->build_id);
		module->build_id = ftsan_clean_text(build_id);
	}
	if (ftsan_member_count(record, "pages") > module->pages)
		module->pages = ftsan_member_count(record, "pages");
	if (ftsan_member_count(record, "lock_pages") > module->lock_pages)
		module->lock_pages = ftsan_member_count(record, "lock_pages");
	module->stores += ftsan_member_count(record, "stores");
	module->permille += ftsan_member_count(record, "sealed_permille");
	module->processes++;
	module->asks_for_gil |= ftsan_member_bool(record, "asks_for_gil");
	audit->sealing += !source->sealed;
	source->sealed = true;
}

const char *ftsan_audit_build_id(const struct ftsan_audit *audit, const char *path)
{
	long number = ftsan_names_find(&audit->module_paths, path);

	if (number == FTSAN_NO_NAME || audit->modules[number].build_id[0] == '\0')
		return NULL;
	return audit->modules[number].build_id;
}

/* --- entries ------------------------------------------------------------------- */

static void make_id(const struct ftsan_audit *audit, struct ftsan_audit_entry *entry)
{
	char name[SHORT], writer[SHORT];
	uint64_t hash = ftsan_hash_field(FTSAN_HASH_BEGIN, "static");

	ftsan_lasting_function(name, sizeof(name), entry->name);
	ftsan_lasting_function(writer, sizeof(writer), entry->writer);
	hash = ftsan_hash_field(hash, audit->modules[entry->module].name);
	hash = ftsan_hash_field(hash, name);
	hash = ftsan_hash_field(hash, entry->writer_module);
	/* Nobody's name: the place is all there is. */
	hash = ftsan_hash_field(hash, strchr(entry->writer, '+') != NULL ? entry->writer : writer);
	snprintf(entry->id, sizeof(entry->id), "%016" PRIx64, hash);
}

static struct ftsan_audit_entry *add_entry(struct ftsan_audit *audit)
{
	struct ftsan_audit_entry *entry;

	audit->entries = ftsan_xgrow(audit->entries, audit->n_entries, &audit->capacity,
				     sizeof(*entry));
	entry = &audit->entries[audit->n_entries++];
	memset(entry, 0, sizeof(*entry));
	entry->offset = UINT64_MAX;
	entry->class = ftsan_xstrdup("nothing");
	return entry;
}

/* The entry that a record belongs to, made if it is the first. */
static struct ftsan_audit_entry *entry_of(struct ftsan_audit *audit, const char *path,
					  const char *name,
					  const struct ftsan_audit_place *writer,
					  uint64_t start)
{
	char *by = ftsan_audit_place_text(writer, start), short_name[SHORT];
	char *key = ftsan_xprintf("%s\n%s\n%s\n%s", path, name, writer->module, by);
	size_t known = audit->keys.n, number = ftsan_names_add(&audit->keys, key, 1);
	struct ftsan_audit_entry *entry;

	free(key);
	if (number < known) {
		free(by);
		return &audit->entries[number];
	}
	entry = add_entry(audit);
	entry->module = module_number(audit, path);
	entry->name = ftsan_clean_text(name);
	entry->writer = by;
	ftsan_lasting_module(short_name, sizeof(short_name), writer->module);
	entry->writer_module = ftsan_clean_text(short_name);
	entry->file =
		writer->code.file != NULL ? ftsan_clean_text(writer->code.file) : NULL;
	entry->line = writer->code.line;
	make_id(audit, entry);
	return entry;
}

static bool is_worse(const struct ftsan_audit_entry *than, enum ftsan_audit_grade grade,
		     const char *class)
{
	if (grade != than->grade)
		return grade > than->grade;
	return ftsan_audit_class_rank(class) > ftsan_audit_class_rank(than->class);
}

static void take_class(struct ftsan_audit_entry *entry, const json_t *record)
{
	int grade = ftsan_audit_grade(ftsan_member_text(record, "grade"));
	const char *class = ftsan_member_text(record, "class");

	if (grade < 0)
		grade = FTSAN_AUDIT_COUNTED;
	ftsan_names_add(&entry->classes, class, 1);
	if (!is_worse(entry, (enum ftsan_audit_grade)grade, class))
		return;
	entry->grade = (enum ftsan_audit_grade)grade;
	free(entry->class);
	entry->class = ftsan_clean_text(class);
}

static void take_callers(struct ftsan_audit *audit, struct ftsan_audit_entry *entry,
			 const json_t *record, unsigned outer)
{
	struct ftsan_audit_place caller;
	char *text;

	/* The innermost one will do: the findings have the whole stack. */
	if (outer >= FTSAN_AUDIT_CALLERS ||
	    !ftsan_audit_find_place(audit->names, record, ftsan_audit_callers[outer],
				    &caller) ||
	    ftsan_view_is_interpreter(
		    &(struct ftsan_view_frame){.module = caller.module}))
		return;
	text = ftsan_audit_place_text(&caller, 0);
	ftsan_names_add(&entry->callers, text, 1);
	free(text);
}

/* What ran at that moment. */
static const json_t *running_at(const struct ftsan_audit_source *source, double time)
{
	size_t low = 0, high = source->n_running;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (source->running[middle].time <= time)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? source->running[low - 1].tests : NULL;
}

static void take_tests(struct ftsan_audit_entry *entry,
		       const struct ftsan_audit_source *source, const json_t *record)
{
	const json_t *time, *test;
	size_t i, j;

	json_array_foreach(json_object_get(record, "times"), i, time)
	{
		const json_t *tests = running_at(source, json_number_value(time));

		json_array_foreach(tests, j, test)
		{
			char *text;

			if (!json_is_string(test))
				continue;
			text = ftsan_clean_text(json_string_value(test));
			if (text[0] != '\0')
				ftsan_names_add(&entry->tests, text, 1);
			free(text);
		}
	}
}

static void take_static(struct ftsan_audit *audit,
			const struct ftsan_audit_source *source, const json_t *record)
{
	const char *path = ftsan_member_text(record, "module"), *name;
	uint64_t offset = ftsan_member_address(record, "offset"), start;
	struct ftsan_audit_entry *entry;
	struct ftsan_audit_place writer;
	unsigned outer;
	char word[24];

	if (path[0] == '\0' || ftsan_member_text(record, "by_module")[0] == '\0')
		return;
	ftsan_audit_find_writer(audit->names, record, &writer, &outer, &start);
	name = audit->names->data(audit->names->argument, path, offset);
	entry = entry_of(audit, path, name != NULL ? name : "", &writer, start);
	if (offset < entry->offset)
		entry->offset = offset;
	snprintf(word, sizeof(word), "%" PRIx64, offset);
	ftsan_names_add(&entry->words, word, 1);
	entry->stores += ftsan_member_count(record, "by_stores");
	entry->detached |= ftsan_member_bool(record, "detached");
	entry->several |= strcmp(ftsan_member_text(record, "threads"), "several") == 0;
	take_class(entry, record);
	take_callers(audit, entry, record, outer);
	take_tests(entry, source, record);
	if (ftsan_member_text(record, "lock")[0] != '\0') {
		char *lock = ftsan_audit_lock_text(audit->names, record),
		     *clean = ftsan_clean_text(lock);

		ftsan_names_add(&entry->locks, clean, 1);
		free(clean);
		free(lock);
	}
}

/* --- processes and tests ------------------------------------------------------- */

static void forget_running(struct ftsan_audit_source *source)
{
	for (size_t i = 0; i < source->n_running; i++)
		json_decref(source->running[i].tests);
	source->n_running = 0;
}

static void take_process(struct ftsan_audit *audit, struct ftsan_audit_source *source,
			 const json_t *record)
{
	char *command;

	forget_running(source);
	source->sealed = source->complete = false;
	source->accept = audit->run == NULL ||
			 strcmp(audit->run, ftsan_member_text(record, "run")) == 0;
	if (!source->accept)
		return;
	audit->processes++;
	ftsan_names_add(&audit->pythons, ftsan_member_text(record, "python"), 1);
	if (!ftsan_member_bool(record, "root"))
		return;
	command = ftsan_json_words(json_object_get(record, "argv"));
	ftsan_names_add(&audit->commands, command, 1);
	free(command);
}

static void take_running(struct ftsan_audit_source *source, const json_t *record)
{
	struct ftsan_audit_running *running;
	json_t *tests = json_object_get(record, "tests");

	source->running = ftsan_xgrow(source->running, source->n_running,
				      &source->capacity, sizeof(*running));
	running = &source->running[source->n_running++];
	running->time = json_number_value(json_object_get(record, "time"));
	running->tests = json_incref(tests);
}

static void take(struct ftsan_audit *audit, struct ftsan_audit_source *source,
		 const json_t *record)
{
	const char *type = ftsan_member_text(record, "type");

	if (strcmp(type, "process") == 0) {
		take_process(audit, source, record);
	} else if (!source->accept) {
		return;
	} else if (strcmp(type, "running") == 0) {
		take_running(source, record);
	} else if (strcmp(type, "statics_module") == 0) {
		take_module(audit, source, record);
	} else if (strcmp(type, "static") == 0) {
		take_static(audit, source, record);
	} else if (strcmp(type, "statics_inventory") == 0) {
		audit->complete += source->sealed && !source->complete;
		source->complete = true;
		audit->left_out += ftsan_member_count(record, "left_out");
	}
}

/* Most records are of no interest here, and some are long. */
static bool may_matter(const char *text, size_t length)
{
	static const char *const types[] = {
		"\"type\":\"static",	 "\"type\":\"process\"",  "\"type\":\"running\"",
		"\"type\": \"running\"", "\"type\": \"process\"", "\"type\": \"static"};
	enum { BEGINNING = 64 };

	if (length > BEGINNING)
		length = BEGINNING;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (memmem(text, length, types[i], strlen(types[i])) != NULL)
			return true;
	return false;
}

void ftsan_audit_line(struct ftsan_audit *audit, struct ftsan_audit_source *source,
		      const char *text, size_t length)
{
	json_t *record;

	if (text == NULL || !may_matter(text, length))
		return;
	record = json_loadb(text, length, 0, NULL);
	if (json_integer_value(json_object_get(record, "v")) == 1)
		take(audit, source, record);
	json_decref(record);
}

void ftsan_audit_source_finish(struct ftsan_audit_source *source)
{
	forget_running(source);
	free(source->running);
	memset(source, 0, sizeof(*source));
}
