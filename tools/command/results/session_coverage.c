#include "results/session_coverage.h"

#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "results/module_coverage.h"
#include "results/session_sight.h"

long long ftsan_session_total(const struct ftsan_session *session, const char *name)
{
	long number = ftsan_names_find(&session->coverage.sums, name);
	uint64_t count = number >= 0 ? session->coverage.sums.counts[number] : 0;

	return count < INT64_MAX ? (long long)count : INT64_MAX;
}

int ftsan_gil_number(const char *word)
{
	if (word != NULL && strcmp(word, "off") == 0)
		return FTSAN_GIL_OFF;
	if (word != NULL && strcmp(word, "on") == 0)
		return FTSAN_GIL_ON;
	return FTSAN_GIL_UNKNOWN;
}

static void add_left_out(struct ftsan_coverage *coverage, json_t *left_out)
{
	const char *reason;
	json_t *count;

	json_object_foreach(left_out, reason, count)
	{
		if (json_integer_value(count) > 0)
			ftsan_names_add(&coverage->left_out, reason,
					(uint64_t)json_integer_value(count));
	}
}

static void add_requesters(struct ftsan_coverage *coverage, const json_t *list)
{
	const json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		if (json_is_string(element))
			ftsan_names_add(&coverage->requesters, json_string_value(element),
					1);
	}
}

/* A record of how many there were, and of names of some. */
static void add_some(const json_t *record, const char *n_key, const char *names_key,
		     uint64_t *n, struct ftsan_names *names)
{
	json_int_t more = json_integer_value(json_object_get(record, n_key));
	const json_t *name;
	size_t i;

	if (more > 0)
		*n += (uint64_t)more;
	json_array_foreach(json_object_get(record, names_key), i, name)
	{
		if (json_is_string(name))
			ftsan_names_add(names, json_string_value(name), 1);
	}
}

/* A member of the record; @value is parsed if it is one of those with more in them. */
static void add_member(struct ftsan_session *session, struct ftsan_source *source,
		       const char *name, json_t *value)
{
	if (json_is_integer(value) && json_integer_value(value) > 0 &&
	    strcmp(name, "v") != 0)
		ftsan_names_add(&session->coverage.sums, name,
				(uint64_t)json_integer_value(value));
	else if (strcmp(name, "buffers_left_out") == 0)
		add_left_out(&session->coverage, value);
	else if (strcmp(name, "children_lost") == 0)
		add_some(value, "n", "some", &session->coverage.n_children_lost,
			 &session->coverage.children_lost);
	else if (strcmp(name, "statics_unread") == 0)
		add_some(value, "words", "modules", &session->coverage.n_unread,
			 &session->coverage.unread);
	else if (strcmp(name, "modules") == 0)
		ftsan_modules_add(&session->coverage, value);
	else if (strcmp(name, "gil_requested_by") == 0)
		add_requesters(&session->coverage, value);
	else if (strcmp(name, "gil") == 0 && json_is_string(value))
		/* The state at the end is worth more than the one at the start. */
		source->gil = ftsan_gil_number(json_string_value(value));
}

/* struct adding - the argument of add_text() */
struct adding {
	struct ftsan_session *session;
	struct ftsan_source *source;
	struct ftsan_sight_facts facts;
};

/*
 * Hooks and counters are most of the record, and are not added up: so they are not
 * parsed either.
 */
static void add_text(void *argument, const char *key, size_t key_length,
		     const char *value, size_t length)
{
	struct adding *adding = argument;
	char name[64];
	json_t *parsed;

	if (key_length >= sizeof(name))
		return;
	memcpy(name, key, key_length);
	name[key_length] = '\0';
	if (strcmp(name, "hooks") == 0 || strcmp(name, "counters") == 0)
		return;
	parsed = json_loadb(value, length, JSON_DECODE_ANY, NULL);
	ftsan_sight_member(&adding->facts, name, parsed);
	add_member(adding->session, adding->source, name, parsed);
	json_decref(parsed);
}

static void add_record(struct adding *adding, const struct ftsan_source *source)
{
	struct ftsan_skim skim;
	const char *name;
	json_t *record, *value;

	/* All of it or nothing: what can't be skimmed must not be added in part. */
	if (ftsan_skim(&skim, source->coverage, source->coverage_length)) {
		(void)ftsan_skim_members(source->coverage, source->coverage_length,
					 add_text, adding);
		return;
	}
	record = json_loadb(source->coverage, source->coverage_length, 0, NULL);
	json_object_foreach(record, name, value)
	{
		ftsan_sight_member(&adding->facts, name, value);
		add_member(adding->session, adding->source, name, value);
	}
	json_decref(record);
}

static void add_coverage(struct ftsan_session *session, struct ftsan_source *source)
{
	struct adding adding = {.session = session, .source = source};

	if (source->coverage_length > 0) {
		session->coverage.processes++;
		add_record(&adding, source);
	}
	ftsan_sight_close(session, source, &adding.facts);
}

void ftsan_session_coverage(struct ftsan_source *source, const char *text, size_t length)
{
	if (!source->open)
		return;
	if (length > source->coverage_capacity) {
		free(source->coverage);
		source->coverage = ftsan_xcalloc(length, 1);
		source->coverage_capacity = length;
	}
	memcpy(source->coverage, text, length);
	source->coverage_length = length;
}

void ftsan_source_close(struct ftsan_session *session, struct ftsan_source *source,
			bool ended)
{
	if (!source->open)
		return;
	if (!ended) {
		if (session->n_unended < FTSAN_UNENDED_NAMED) {
			session->unended[session->n_unended] = source->pid;
			session->unended_tests[session->n_unended] =
				json_incref(source->running);
		}
		session->n_unended++;
	}
	if (source->engines == 0)
		session->silent++;
	add_coverage(session, source);
	session->coverage.gil[source->gil]++;
	source->coverage_length = 0;
	source->open = false;
	source->engines = source->engines_on = source->findings = 0;
	source->sampled = false;
}
