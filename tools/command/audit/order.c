/* What is worst comes first. */
#include <stdlib.h>
#include <string.h>

#include "audit/inventory.h"

static int by_number(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int by_badness(const struct ftsan_audit_entry *a,
		      const struct ftsan_audit_entry *b)
{
	int order = by_number(a->grade, b->grade);

	return order != 0 ? order
			  : by_number(ftsan_audit_class_rank(a->class),
				      ftsan_audit_class_rank(b->class));
}

/* In the same order in every run: what is left to say is the name. */
static int compare(const void *left, const void *right, void *modules)
{
	const struct ftsan_audit_entry *a = left, *b = right;
	const uint64_t *weights = modules;
	int order = by_number(weights[a->module], weights[b->module]);

	if (order == 0)
		order = (a->module > b->module) - (a->module < b->module);
	if (order == 0)
		order = by_badness(a, b);
	if (order == 0)
		order = strcmp(a->name, b->name);
	return order != 0 ? order : strcmp(a->writer, b->writer);
}

/* Grades outweigh any number of what is less. */
static uint64_t *weigh(const struct ftsan_audit *audit)
{
	uint64_t *weights = ftsan_xcalloc(audit->module_paths.n, sizeof(*weights));

	for (size_t i = 0; i < audit->n_entries; i++) {
		const struct ftsan_audit_entry *entry = &audit->entries[i];

		weights[entry->module] += 1ull << (16 * entry->grade);
	}
	return weights;
}

void ftsan_audit_sort(struct ftsan_audit *audit)
{
	uint64_t *weights = weigh(audit);

	if (audit->n_entries > 0)
		qsort_r(audit->entries, audit->n_entries, sizeof(*audit->entries),
			compare, weights);
	free(weights);
}

size_t ftsan_audit_count(const struct ftsan_audit *audit, enum ftsan_audit_grade grade)
{
	size_t n = 0;

	for (size_t i = 0; i < audit->n_entries; i++)
		n += audit->entries[i].grade == grade;
	return n;
}

static void release_entry(struct ftsan_audit_entry *entry)
{
	free(entry->name);
	free(entry->writer);
	free(entry->writer_module);
	free(entry->file);
	free(entry->class);
	free(entry->old_class);
	ftsan_names_release(&entry->words);
	ftsan_names_release(&entry->classes);
	ftsan_names_release(&entry->locks);
	ftsan_names_release(&entry->tests);
	ftsan_names_release(&entry->callers);
}

void ftsan_audit_release(struct ftsan_audit *audit)
{
	for (size_t i = 0; i < audit->n_entries; i++)
		release_entry(&audit->entries[i]);
	for (size_t i = 0; i < audit->n_gone; i++)
		release_entry(&audit->gone[i]);
	for (size_t i = 0; i < audit->module_paths.n; i++) {
		free(audit->modules[i].path);
		free(audit->modules[i].name);
		free(audit->modules[i].build_id);
	}
	free(audit->entries);
	free(audit->gone);
	free(audit->modules);
	ftsan_names_release(&audit->module_paths);
	ftsan_names_release(&audit->keys);
	ftsan_names_release(&audit->commands);
	ftsan_names_release(&audit->pythons);
	memset(audit, 0, sizeof(*audit));
}
