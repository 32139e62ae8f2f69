#include <string.h>

#include "session_parts.h"

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

static void add_sums(struct ftsan_coverage *coverage, json_t *record)
{
	const char *name;
	json_t *value;

	json_object_foreach(record, name, value)
	{
		if (json_integer_value(value) > 0 && strcmp(name, "v") != 0)
			ftsan_names_add(&coverage->sums, name,
					(uint64_t)json_integer_value(value));
	}
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

void ftsan_source_close(struct ftsan_session *session, struct ftsan_source *source,
			bool ended)
{
	const struct ftsan_coverage_record *record = &source->coverage.coverage;

	if (!source->open)
		return;
	if (!ended) {
		if (session->n_unended < FTSAN_UNENDED_NAMED)
			session->unended[session->n_unended] = source->pid;
		session->n_unended++;
	}
	if (source->engines == 0)
		session->silent++;
	if (source->coverage.type == FTSAN_RECORD_COVERAGE) {
		session->coverage.processes++;
		add_sums(&session->coverage, source->coverage.json);
		add_left_out(&session->coverage, record->left_out);
		add_requesters(&session->coverage, record->gil_requested_by);
		/* The state at the end is worth more than the one at the start. */
		if (record->gil != NULL)
			source->gil = ftsan_gil_number(record->gil);
	}
	session->coverage.gil[source->gil]++;
	ftsan_record_clear(&source->coverage);
	source->open = false;
	source->engines = source->findings = 0;
}
