#include "audit/compare.h"

#include <stdlib.h>
#include <string.h>

#include "log/log.h"

const char *ftsan_audit_news_word(enum ftsan_audit_news news)
{
	static const char *const words[] = {NULL, "same", "new", "changed", "gone"};

	return words[news];
}

bool ftsan_audit_is_bad_news(const struct ftsan_audit_entry *entry,
			     enum ftsan_audit_grade least)
{
	if (entry->grade < least || entry->grade == FTSAN_AUDIT_COUNTED)
		return false;
	return entry->news == FTSAN_AUDIT_NEW ||
	       (entry->news == FTSAN_AUDIT_CHANGED && entry->grade > entry->old_grade);
}

size_t ftsan_audit_count_news(const struct ftsan_audit *audit, enum ftsan_audit_news news)
{
	size_t n = 0;

	for (size_t i = 0; i < audit->n_entries; i++)
		n += audit->entries[i].news == news;
	return n;
}

static enum ftsan_audit_grade grade_of(const json_t *entry)
{
	int grade = ftsan_audit_grade(ftsan_member_text(entry, "grade"));

	return grade < 0 ? FTSAN_AUDIT_COUNTED : (enum ftsan_audit_grade)grade;
}

static void compare_entry(struct ftsan_audit_entry *entry, const json_t *old)
{
	if (old == NULL) {
		entry->news = FTSAN_AUDIT_NEW;
		return;
	}
	entry->old_grade = grade_of(old);
	free(entry->old_class);
	entry->old_class = ftsan_clean_text(ftsan_member_text(old, "class"));
	entry->news = entry->old_grade == entry->grade &&
				      strcmp(entry->old_class, entry->class) == 0
			      ? FTSAN_AUDIT_SAME
			      : FTSAN_AUDIT_CHANGED;
}

static void add_gone(struct ftsan_audit *audit, const char *id, const char *module,
		     const json_t *old)
{
	struct ftsan_audit_entry *entry;

	audit->gone = ftsan_xgrow(audit->gone, audit->n_gone, &audit->gone_capacity,
				  sizeof(*entry));
	entry = &audit->gone[audit->n_gone++];
	memset(entry, 0, sizeof(*entry));
	strncpy(entry->id, id, sizeof(entry->id) - 1);
	entry->name = ftsan_clean_text(ftsan_member_text(old, "static"));
	entry->writer = ftsan_clean_text(ftsan_member_text(old, "writer"));
	entry->writer_module = ftsan_clean_text(module);
	entry->class = ftsan_clean_text(ftsan_member_text(old, "class"));
	entry->grade = entry->old_grade = grade_of(old);
	entry->news = FTSAN_AUDIT_GONE;
}

/* The old entries by their ids. */
static json_t *by_id(const json_t *old)
{
	json_t *ids = json_object();
	const json_t *module;
	json_t *entry;
	size_t i, j;

	json_array_foreach(json_object_get(old, "modules"), i, module)
	{
		json_array_foreach(json_object_get(module, "statics"), j, entry)
		{
			const char *id = ftsan_member_text(entry, "id");

			if (id[0] != '\0')
				json_object_set(ids, id, entry);
		}
	}
	return ids;
}

static void collect_gone(struct ftsan_audit *audit, const json_t *old)
{
	struct ftsan_names there = {.n = 0};
	const json_t *module, *entry;
	size_t i, j;

	for (i = 0; i < audit->n_entries; i++)
		ftsan_names_add(&there, audit->entries[i].id, 1);
	json_array_foreach(json_object_get(old, "modules"), i, module)
	{
		json_array_foreach(json_object_get(module, "statics"), j, entry)
		{
			const char *id = ftsan_member_text(entry, "id");

			if (id[0] != '\0' &&
			    ftsan_names_find(&there, id) == FTSAN_NO_NAME)
				add_gone(audit, id, ftsan_member_text(module, "name"),
					 entry);
		}
	}
	ftsan_names_release(&there);
}

void ftsan_audit_compare(struct ftsan_audit *audit, const json_t *old)
{
	json_t *ids = by_id(old);

	for (size_t i = 0; i < audit->n_entries; i++)
		compare_entry(&audit->entries[i],
			      json_object_get(ids, audit->entries[i].id));
	json_decref(ids);
	collect_gone(audit, old);
	audit->compared = true;
}

bool ftsan_audit_is_one(const json_t *json)
{
	return strcmp(ftsan_member_text(json, "type"), "audit") == 0 &&
	       ftsan_member_count(json, "v") == 1 &&
	       ftsan_member_list(json, "modules") != NULL;
}

json_t *ftsan_audit_read(const char *path)
{
	json_error_t problem;
	json_t *old = json_load_file(path, 0, &problem);

	if (old != NULL && ftsan_audit_is_one(old))
		return old;
	ftsan_error("%s: no audit%s%s; `ftsan audit -o FILE.json -- CMD` makes one", path,
		    old == NULL ? ": " : "", old == NULL ? problem.text : "");
	json_decref(old);
	return NULL;
}
