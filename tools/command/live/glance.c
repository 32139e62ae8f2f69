#include "live/glance.h"

#include <string.h>

#include "common/common.h"
#include "results/results.h"

void ftsan_glance_release(struct ftsan_glance *glance)
{
	ftsan_names_release(&glance->watched);
	ftsan_modules_release(&glance->session.coverage);
	memset(glance, 0, sizeof(*glance));
}

static void add_watched(struct ftsan_names *watched, const json_t *list)
{
	const json_t *json;
	size_t i;

	json_array_foreach(list, i, json)
	{
		const char *what = json_string_value(json_object_get(json, "what"));
		json_int_t n = json_integer_value(json_object_get(json, "n"));

		if (what != NULL && n > 0)
			ftsan_names_add(watched, what, (uint64_t)n);
	}
}

/* The last record of a process that has not ended its log. */
static void add_source(struct ftsan_glance *glance, const struct ftsan_source *source)
{
	json_t *record;

	if (!source->open || !source->accept || source->coverage_length == 0)
		return;
	record = json_loadb(source->coverage, source->coverage_length, 0, NULL);
	add_watched(&glance->watched, json_object_get(record, "watched"));
	ftsan_modules_add(&glance->session.coverage, json_object_get(record, "modules"));
	json_decref(record);
}

static void add_ended(struct ftsan_glance *glance, const struct ftsan_session *session)
{
	const struct ftsan_coverage *coverage = &session->coverage;

	for (size_t i = 0; i < coverage->watched.n; i++)
		ftsan_names_add(&glance->watched, coverage->watched.texts[i],
				coverage->watched.counts[i]);
	for (size_t i = 0; i < coverage->module_paths.n; i++)
		ftsan_modules_note(&glance->session.coverage,
				   coverage->module_paths.texts[i],
				   &coverage->modules[i]);
}

void ftsan_glance_take(struct ftsan_glance *glance, const struct ftsan_follow *follow)
{
	ftsan_glance_release(glance);
	glance->session.found = follow->session->found;
	glance->session.n_found = follow->session->n_found;
	add_ended(glance, follow->session);
	for (size_t i = 0; i < follow->n_files; i++)
		add_source(glance, &follow->files[i].source);
}

void ftsan_glance_write(FILE *out, const struct ftsan_glance *glance)
{
	for (size_t i = 0; i < glance->watched.n; i++) {
		fputs(i > 0 ? ", " : "", out);
		ftsan_put_counted(out, glance->watched.texts[i], glance->watched.counts[i]);
	}
	if (glance->watched.n == 0)
		fputs("nothing yet", out);
}
