#include "results/session_sight.h"

#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "results/verdict.h"

/* Modules named in a verdict; their number is not of interest. */
enum { EXTENSIONS_KEPT = 16 };

void ftsan_sight_member(struct ftsan_sight_facts *facts, const char *name, json_t *value)
{
	const struct {
		const char *name;
		uint64_t *to;
	} numbers[] = {
		{"operating_threads", &facts->threads},
		{"buffers_seen", &facts->buffers_seen},
		{"buffers_published", &facts->published},
		{"arrays_held", &facts->held},
		{"headers_watched", &facts->headers},
	};

	if (strcmp(name, "watched") == 0 && json_is_array(value) &&
	    facts->watched == NULL)
		facts->watched = json_incref(value);
	if (strcmp(name, "extensions") == 0 && json_is_object(value) &&
	    facts->extensions == NULL)
		facts->extensions = json_incref(value);
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(numbers) && json_is_integer(value); i++)
		if (strcmp(name, numbers[i].name) == 0 && json_integer_value(value) > 0)
			*numbers[i].to = (uint64_t)json_integer_value(value);
	facts->has_threads |= strcmp(name, "operating_threads") == 0;
}

static void add_one(struct ftsan_names *names, const char *what, uint64_t n)
{
	if (names != NULL && n > 0)
		ftsan_names_add(names, what, n);
}

/* A log of a version that did not say it so. */
static void add_former(const struct ftsan_sight_facts *facts, bool latent,
		       bool with_races, struct ftsan_names *names,
		       struct ftsan_sight_question *question)
{
	uint64_t *headers = latent ? &question->anytime : &question->race;

	question->race += facts->published;
	question->anytime += facts->held;
	*headers += facts->headers;
	add_one(with_races ? names : NULL, "shapes and strides of arrays (%)",
		facts->published);
	add_one(names, "shapes and strides of operations' inputs (%)", facts->held);
	add_one(latent || with_races ? names : NULL, "headers of arrays (% times)",
		facts->headers);
}

/* What was watched; @names: NULL, or gets what counts. */
static void add_watched(const struct ftsan_sight_facts *facts, bool latent,
			bool with_races, struct ftsan_names *names,
			struct ftsan_sight_question *question)
{
	const json_t *one;
	size_t i;

	if (facts->watched == NULL)
		add_former(facts, latent, with_races, names, question);
	json_array_foreach(facts->watched, i, one)
	{
		const char *what = json_string_value(json_object_get(one, "what"));
		json_int_t n = json_integer_value(json_object_get(one, "n"));
		bool race = json_is_true(json_object_get(one, "race"));

		if (what == NULL || n <= 0)
			continue;
		*(race ? &question->race : &question->anytime) += (uint64_t)n;
		add_one(race && !with_races ? NULL : names, what, (uint64_t)n);
	}
}

static void add_extensions(struct ftsan_names *names, const json_t *extensions)
{
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(extensions, "some"), i, name)
	{
		if (json_is_string(name) && names->n < EXTENSIONS_KEPT)
			ftsan_names_add(names, json_string_value(name), 1);
	}
}

void ftsan_sight_close(struct ftsan_session *session, const struct ftsan_source *source,
		       struct ftsan_sight_facts *facts)
{
	const json_t *extensions = facts->extensions;
	struct ftsan_sight_question question = {
		.python_known = source->python_known,
		.engines_off = source->engines > 0 && source->engines_on == 0,
		.findings = source->findings,
		.told = source->coverage_length > 0,
		.latent = source->latent,
		.gil_on = source->gil == FTSAN_GIL_ON,
		.numpy = extensions == NULL ||
			 json_is_true(json_object_get(extensions, "numpy")),
		.sampled = source->sampled,
		.extensions = extensions == NULL
				      ? 1
				      : (uint64_t)json_integer_value(
						json_object_get(extensions, "n")),
		.threads = facts->has_threads ? facts->threads : 2,
		.buffers_seen = facts->buffers_seen,
	};
	enum ftsan_sight sight;

	add_watched(facts, source->latent, false, NULL, &question);
	sight = ftsan_sight_judge(&question);
	session->coverage.sights[sight]++;
	if (sight == FTSAN_SEES)
		add_watched(facts, source->latent,
			    !question.gil_on && question.threads > 1,
			    &session->coverage.watched, &question);
	else
		add_extensions(&session->coverage.extensions, extensions);
	json_decref(facts->watched);
	json_decref(facts->extensions);
}
