#include "summary.h"

#include <stdlib.h>
#include <string.h>

#include "message.h"

static const char *plural(uint64_t count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

void ftsan_summary_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
}

/* How often the findings of one kind and confidence occurred. */
struct tally {
	size_t findings;
	uint64_t occurrences;
};

static struct tally count_alike(const struct ftsan_session *session,
				const struct ftsan_found *like)
{
	struct tally tally = {0, 0};

	for (size_t i = 0; i < session->n_found; i++) {
		const struct ftsan_found *found = &session->found[i];

		if (strcmp(found->kind, like->kind) != 0 ||
		    strcmp(found->confidence, like->confidence) != 0)
			continue;
		tally.findings++;
		tally.occurrences += found->processes + found->repeats;
	}
	return tally;
}

static bool is_first_of_its_sort(const struct ftsan_session *session, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(session->found[i].kind, session->found[index].kind) == 0 &&
		    strcmp(session->found[i].confidence,
			   session->found[index].confidence) == 0)
			return false;
	return true;
}

static void write_findings(FILE *out, const struct ftsan_session *session)
{
	fprintf(out, "ftsan: %zu %s in %zu %s\n", session->n_found,
		plural(session->n_found, "finding", "findings"), session->n_processes,
		plural(session->n_processes, "process", "processes"));
	for (size_t i = 0; i < session->n_found; i++) {
		const struct ftsan_found *found = &session->found[i];
		struct tally tally;

		if (!is_first_of_its_sort(session, i))
			continue;
		tally = count_alike(session, found);
		fprintf(out, "ftsan:   %zu x ", tally.findings);
		ftsan_summary_text(out, ftsan_kind_headline(found->kind));
		fputs(", ", out);
		ftsan_summary_text(out, found->confidence);
		if (tally.occurrences > tally.findings)
			fprintf(out, " (%llu occurrences)",
				(unsigned long long)tally.occurrences);
		fputc('\n', out);
	}
}

static bool same_engine(const struct ftsan_record *a, const struct ftsan_record *b)
{
	const char *reason_a = a->engine.reason != NULL ? a->engine.reason : "";
	const char *reason_b = b->engine.reason != NULL ? b->engine.reason : "";

	return strcmp(a->engine.name, b->engine.name) == 0 &&
	       a->engine.active == b->engine.active && strcmp(reason_a, reason_b) == 0 &&
	       a->engine.canary_known == b->engine.canary_known &&
	       a->engine.canary == b->engine.canary;
}

/* What nobody watches while an engine is off. */
static const char *blind_spot(const char *engine)
{
	if (strcmp(engine, "guard") == 0)
		return "races on shapes, strides and Cython's code caches were NOT "
		       "looked for";
	if (strcmp(engine, "watch") == 0)
		return "stores to the headers of arrays were NOT looked for";
	return "what it looks for was NOT looked for";
}

static void write_engine(FILE *out, const struct ftsan_record *record, size_t count,
			 size_t processes)
{
	const struct ftsan_engine_record *engine = &record->engine;

	fputs("ftsan: engine ", out);
	ftsan_summary_text(out, engine->name);
	fputs(engine->active ? ": active" : ": NOT ACTIVE", out);
	if (count < processes)
		fprintf(out, " in %zu of %zu processes", count, processes);
	if (engine->reason != NULL && engine->reason[0] != '\0') {
		fputs(": ", out);
		ftsan_summary_text(out, engine->reason);
	}
	if (engine->detail != NULL && engine->detail[0] != '\0') {
		fputs(" (", out);
		ftsan_summary_text(out, engine->detail);
		fputc(')', out);
	}
	if (!engine->active)
		fprintf(out, "; %s", blind_spot(engine->name));
	else if (engine->canary_known && !engine->canary)
		fputs("; its own canary was NOT caught, so a silence means nothing", out);
	fputc('\n', out);
}

/* Engines that say the same in several processes are one line. */
static size_t count_engine(const struct ftsan_session *session,
			   const struct ftsan_record *like,
			   const struct ftsan_record **first)
{
	size_t count = 0;

	*first = NULL;
	for (size_t i = 0; i < session->n_processes; i++) {
		for (size_t j = 0; j < session->processes[i].n_engines; j++) {
			const struct ftsan_record *engine =
				&session->processes[i].engines[j];

			if (!same_engine(engine, like))
				continue;
			if (*first == NULL)
				*first = engine;
			count++;
		}
	}
	return count;
}

static void write_engines(FILE *out, const struct ftsan_session *session)
{
	const struct ftsan_record *first;
	size_t silent = 0;

	for (size_t i = 0; i < session->n_processes; i++) {
		const struct ftsan_process *process = &session->processes[i];

		if (process->n_engines == 0)
			silent++;
		for (size_t j = 0; j < process->n_engines; j++) {
			size_t count =
				count_engine(session, &process->engines[j], &first);

			if (first == &process->engines[j])
				write_engine(out, first, count, session->n_processes);
		}
	}
	if (silent > 0)
		fprintf(out, "ftsan: %zu %s did not say which engines were active\n",
			silent, plural(silent, "process", "processes"));
}

static void write_unended(FILE *out, const struct ftsan_session *session)
{
	enum { NAMED_MAX = 5 };
	size_t count = 0;

	for (size_t i = 0; i < session->n_processes; i++) {
		const struct ftsan_process *process = &session->processes[i];

		if (process->end.type == FTSAN_RECORD_END)
			continue;
		if (count++ < NAMED_MAX)
			fprintf(out,
				"ftsan: process %d wrote no end record: it was killed, "
				"or "
				"still runs; its findings are complete, its counters are "
				"not\n",
				process->record.process.pid);
	}
	if (count > NAMED_MAX)
		fprintf(out, "ftsan: the same holds for %zu more processes\n",
			count - NAMED_MAX);
}

static void write_lost(FILE *out, const struct ftsan_session *session)
{
	json_int_t lost = 0;

	for (size_t i = 0; i < session->n_processes; i++) {
		const struct ftsan_process *process = &session->processes[i];

		if (process->end.type == FTSAN_RECORD_END &&
		    process->end.end.findings > (json_int_t)process->findings)
			lost += process->end.end.findings - (json_int_t)process->findings;
	}
	if (lost > 0)
		fprintf(out, "ftsan: %lld findings are missing in the log\n",
			(long long)lost);
}

static void write_reading_notes(FILE *out, const struct ftsan_session *session,
				const struct ftsan_summary *summary)
{
	if (session->bad_lines > 0)
		fprintf(out, "ftsan: %llu %s of the log skipped: torn, or not ftsan's\n",
			(unsigned long long)session->bad_lines,
			plural(session->bad_lines, "line", "lines"));
	if (summary->torn_files > 0)
		fprintf(out, "ftsan: %u log %s in the middle of a line\n",
			summary->torn_files,
			plural(summary->torn_files, "file ends", "files end"));
	if (summary->mismatches > 0)
		fprintf(out,
			"ftsan: %u %s not the build that ran, so without source lines\n",
			summary->mismatches,
			plural(summary->mismatches, "module on disk is",
			       "modules on disk are"));
}

void ftsan_summary_write(FILE *out, const struct ftsan_session *session,
			 const struct ftsan_summary *summary)
{
	if (session->n_processes == 0)
		fprintf(out, "ftsan: %s; nothing was checked\n", summary->nothing);
	if (session->n_processes > 0 || session->n_found > 0) {
		write_findings(out, session);
		write_engines(out, session);
		ftsan_summary_gil(out, session);
		ftsan_summary_coverage(out, session);
		write_unended(out, session);
		write_lost(out, session);
	}
	write_reading_notes(out, session, summary);
	if (summary->log_path != NULL)
		fprintf(out, "ftsan: the log is %s\n", summary->log_path);
}

void ftsan_summary_print(const struct ftsan_session *session,
			 const struct ftsan_summary *summary)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL) {
		ftsan_error("out of memory");
		return;
	}
	ftsan_summary_write(out, session, summary);
	if (fclose(out) == 0)
		ftsan_write_report(text, length);
	free(text);
}
