#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/annot.h"
#include "summary.h"

/* One counter over all processes. */
static json_int_t total(const struct ftsan_session *session, const char *name)
{
	json_int_t sum = 0;

	for (size_t i = 0; i < session->n_processes; i++) {
		json_int_t more =
			ftsan_record_counter(&session->processes[i].coverage, name);

		if (__builtin_add_overflow(sum, more, &sum))
			return INT64_MAX;
	}
	return sum;
}

static size_t count_covered(const struct ftsan_session *session)
{
	size_t count = 0;

	for (size_t i = 0; i < session->n_processes; i++)
		if (session->processes[i].coverage.type == FTSAN_RECORD_COVERAGE)
			count++;
	return count;
}

static void add_reasons(json_t *sums, const json_t *left_out)
{
	const char *reason;
	json_t *count;

	/* Both the lookup and the iteration accept what is no object. */
	json_object_foreach((json_t *)left_out, reason, count)
	{
		json_int_t sum = json_integer_value(json_object_get(sums, reason));
		json_int_t more = json_integer_value(count);

		if (more > 0 && !__builtin_add_overflow(sum, more, &sum))
			json_object_set_new(sums, reason, json_integer(sum));
	}
}

static void write_left_out(FILE *out, const struct ftsan_session *session)
{
	json_t *sums = json_object();
	const char *reason, *separator = "";
	json_t *count;

	for (size_t i = 0; i < session->n_processes; i++)
		if (session->processes[i].coverage.type == FTSAN_RECORD_COVERAGE)
			add_reasons(sums,
				    session->processes[i].coverage.coverage.left_out);
	if (json_object_size(sums) > 0)
		fputs("ftsan:   left out: ", out);
	json_object_foreach(sums, reason, count)
	{
		fprintf(out, "%s%lld ", separator, (long long)json_integer_value(count));
		ftsan_summary_text(out, reason);
		separator = ", ";
	}
	if (separator[0] != '\0')
		fputc('\n', out);
	json_decref(sums);
}

static void write_guard(FILE *out, const struct ftsan_session *session)
{
	json_int_t long_lived = total(session, "arrays_over_10ms");

	fprintf(out, "ftsan: coverage: %lld buffers seen, %lld guarded, %lld published\n",
		(long long)total(session, "buffers_seen"),
		(long long)total(session, "buffers_guarded"),
		(long long)total(session, "buffers_published"));
	write_left_out(out, session);
	if (long_lived > 0)
		fprintf(out,
			"ftsan:   %lld of %lld arrays that lived over 10 ms were "
			"watched\n",
			(long long)total(session, "arrays_over_10ms_published"),
			(long long)long_lived);
	if (total(session, "operations_watched") > 0)
		fprintf(out,
			"ftsan:   %lld calls of operations were watched for hazards, "
			"%lld arrays sealed for them\n",
			(long long)total(session, "operations_watched"),
			(long long)total(session, "arrays_held"));
	if (total(session, "headers_watched") > 0)
		fprintf(out,
			"ftsan:   array headers watched %lld times, %.1f s summed over "
			"their words\n",
			(long long)total(session, "headers_watched"),
			(double)total(session, "header_word_ms") / 1000);
	fprintf(out, "ftsan:   %lld traps, %lld windows (%lld ms), %lld collisions\n",
		(long long)total(session, "traps"), (long long)total(session, "windows"),
		(long long)total(session, "window_ms"),
		(long long)total(session, "collisions"));
	fprintf(out, "ftsan:   %lld threads, %.1f MiB of guard memory\n",
		(long long)total(session, "threads"),
		(double)total(session, "guard_bytes") / (1 << 20));
}

void ftsan_summary_coverage(FILE *out, const struct ftsan_session *session)
{
	size_t covered = count_covered(session);

	if (covered > 0)
		write_guard(out, session);
	if (covered < session->n_processes)
		fprintf(out, "ftsan: no coverage from %zu of %zu processes\n",
			session->n_processes - covered, session->n_processes);
}

/* The state at the end is worth more than the one at the start. */
static const char *gil_of(const struct ftsan_process *process)
{
	const char *gil = NULL;

	if (process->coverage.type == FTSAN_RECORD_COVERAGE)
		gil = process->coverage.coverage.gil;
	if (gil == NULL)
		gil = process->record.process.gil;
	return gil != NULL ? gil : "unknown";
}

static size_t count_gil(const struct ftsan_session *session, const char *state)
{
	size_t count = 0;

	for (size_t i = 0; i < session->n_processes; i++)
		if (strcmp(gil_of(&session->processes[i]), state) == 0)
			count++;
	return count;
}

static void collect_requesters(json_t *names, const struct ftsan_process *process)
{
	const json_t *list = process->coverage.coverage.gil_requested_by;
	const json_t *element;
	size_t i;

	json_array_foreach(list, i, element) if (json_is_string(element))
		json_object_set_new(names, json_string_value(element), json_true());
}

static void write_requesters(FILE *out, const struct ftsan_session *session)
{
	json_t *names = json_object();
	const char *name, *separator = "ftsan:   asked for by ";
	json_t *unused;

	for (size_t i = 0; i < session->n_processes; i++)
		if (session->processes[i].coverage.type == FTSAN_RECORD_COVERAGE)
			collect_requesters(names, &session->processes[i]);
	json_object_foreach(names, name, unused)
	{
		fputs(separator, out);
		ftsan_summary_text(out, name);
		separator = ", ";
	}
	if (json_object_size(names) > 0)
		fputc('\n', out);
	json_decref(names);
}

void ftsan_summary_gil(FILE *out, const struct ftsan_session *session)
{
	static const struct {
		const char *state, *meaning;
	} states[] = {
		{"off", ""},
		{"on", ": threads took turns, so few races can show; hazards "
		       "(mode=latent) show all the same"},
		{"unknown", ""},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(states); i++) {
		size_t count = count_gil(session, states[i].state);

		if (count == 0)
			continue;
		fprintf(out, "ftsan: GIL %s", states[i].state);
		if (count < session->n_processes)
			fprintf(out, " in %zu of %zu processes", count,
				session->n_processes);
		fprintf(out, "%s\n", states[i].meaning);
	}
	write_requesters(out, session);
}
