#include "results/module_coverage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "results/fold.h"
#include "results/session_found.h"
#include "view/view.h"

static uint64_t number(const json_t *json, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(json, name));

	return value > 0 ? (uint64_t)value : 0;
}

static void take_more(uint64_t *most, uint64_t other)
{
	if (other > *most)
		*most = other;
}

static void add_one(struct ftsan_coverage *coverage, const json_t *json)
{
	const char *path = json_string_value(json_object_get(json, "module"));
	struct ftsan_module_seen seen = {.functions = number(json, "functions"),
					 .seen = number(json, "seen"),
					 .shared = number(json, "shared")};

	if (path != NULL)
		ftsan_modules_note(coverage, path, &seen);
}

void ftsan_modules_note(struct ftsan_coverage *coverage, const char *path,
			const struct ftsan_module_seen *seen)
{
	size_t known = coverage->module_paths.n;
	size_t at = ftsan_names_add(&coverage->module_paths, path, 1);
	if (at == known) {
		coverage->modules =
			ftsan_xgrow(coverage->modules, known, &coverage->modules_capacity,
				    sizeof(*coverage->modules));
		memset(&coverage->modules[at], 0, sizeof(coverage->modules[at]));
	}
	take_more(&coverage->modules[at].functions, seen->functions);
	take_more(&coverage->modules[at].seen, seen->seen);
	take_more(&coverage->modules[at].shared, seen->shared);
}

void ftsan_modules_add(struct ftsan_coverage *coverage, const json_t *list)
{
	const json_t *json;
	size_t i;

	json_array_foreach(list, i, json)
	{
		add_one(coverage, json);
	}
}

void ftsan_modules_release(struct ftsan_coverage *coverage)
{
	ftsan_names_release(&coverage->module_paths);
	free(coverage->modules);
	coverage->modules = NULL;
	coverage->modules_capacity = 0;
}

/* --- what is worth showing ---------------------------------------------------------- */

static uint64_t faults_in(const struct ftsan_session *session, const char *name)
{
	uint64_t n = 0;

	for (size_t i = 0; i < session->n_found; i++)
		n += ftsan_found_shown(&session->found[i]) &&
		     session->found[i].culprit_module != NULL &&
		     strcmp(session->found[i].culprit_module, name) == 0;
	return n;
}

static int compare(const void *a, const void *b)
{
	const struct ftsan_module_line *left = a, *right = b;

	if (left->own != right->own)
		return left->own ? -1 : 1;
	if (left->faults != right->faults)
		return left->faults > right->faults ? -1 : 1;
	if (left->seen->seen != right->seen->seen)
		return left->seen->seen > right->seen->seen ? -1 : 1;
	return strcmp(left->name, right->name);
}

struct ftsan_module_line *ftsan_modules_ranked(const struct ftsan_session *session,
					       size_t *n)
{
	const struct ftsan_coverage *coverage = &session->coverage;
	size_t count = coverage->module_paths.n;
	struct ftsan_module_line *lines =
		count > 0 ? ftsan_xcalloc(count, sizeof(*lines)) : NULL;

	*n = 0;
	for (size_t i = 0; i < count; i++) {
		const char *path = coverage->module_paths.texts[i];
		struct ftsan_module_line *line = &lines[*n];

		line->seen = &coverage->modules[i];
		line->own = ftsan_path_in_packages(path) == NULL &&
			    !ftsan_path_is_stdlib(path);
		ftsan_lasting_module(line->name, sizeof(line->name), path);
		line->faults = faults_in(session, line->name);
		if (line->own || line->faults > 0 ||
		    (line->seen->seen > 0 && !ftsan_path_is_stdlib(path)))
			(*n)++;
	}
	if (*n == 0) {
		free(lines);
		return NULL;
	}
	qsort(lines, *n, sizeof(*lines), compare);
	return lines;
}

void ftsan_modules_write(FILE *out, const struct ftsan_session *session, bool all)
{
	/* A longer line is read by nobody who did not ask for it. */
	enum { FEW = 3 };
	size_t n;
	struct ftsan_module_line *lines = ftsan_modules_ranked(session, &n);

	if (!all && n > FEW)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct ftsan_module_seen *seen = lines[i].seen;

		fputs(i == 0 ? "ftsan: functions that ran: " : ", ", out);
		ftsan_put_text(out, lines[i].name);
		fprintf(out, " %" PRIu64 " of %" PRIu64 " (%" PRIu64 " on shared memory)",
			seen->seen, seen->functions, seen->shared);
	}
	if (n > 0)
		fputc('\n', out);
	free(lines);
}
