#include "results/summary.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "results/module_coverage.h"
#include "results/summary_parts.h"
#include "results/verdict.h"

/* Findings of one kind and confidence are one line. */
static void write_sorts(FILE *out, const struct ftsan_session *session)
{
	struct ftsan_names sorts = {.n = 0}, occurrences = {.n = 0};

	for (size_t i = 0; i < session->n_found; i++) {
		const struct ftsan_found *found = &session->found[i];
		char *sort;

		if (!ftsan_found_shown(found))
			continue;
		sort = ftsan_xprintf("%s, %s", found->headline,
				     found->confidence);
		ftsan_names_add(&sorts, sort, 1);
		ftsan_names_add(&occurrences, sort, ftsan_found_count(found));
		free(sort);
	}
	for (size_t i = 0; i < sorts.n; i++) {
		fprintf(out, "ftsan:   %llu x ", (unsigned long long)sorts.counts[i]);
		ftsan_put_text(out, sorts.texts[i]);
		if (occurrences.counts[i] > sorts.counts[i])
			fprintf(out, " (%llu occurrences)",
				(unsigned long long)occurrences.counts[i]);
		fputc('\n', out);
	}
	ftsan_names_release(&sorts);
	ftsan_names_release(&occurrences);
}

static void write_findings(FILE *out, const struct ftsan_session *session)
{
	size_t hidden = session->n_found - session->n_shown;

	/* The verdict has said it. */
	if (session->n_found == 0)
		return;
	fprintf(out, "ftsan: %zu %s in %llu %s", session->n_shown,
		ftsan_plural(session->n_shown, "finding", "findings"),
		(unsigned long long)session->n_processes,
		ftsan_plural(session->n_processes, "process", "processes"));
	if (hidden > 0)
		fprintf(out, ", %zu suppressed", hidden);
	fputc('\n', out);
	write_sorts(out, session);
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

static void write_engine(FILE *out, const struct ftsan_engine_state *engine,
			 uint64_t processes)
{
	fputs("ftsan: engine ", out);
	ftsan_put_text(out, engine->name);
	fputs(engine->active ? ": active" : ": NOT ACTIVE", out);
	if (engine->processes < processes)
		fprintf(out, " in %llu of %llu processes",
			(unsigned long long)engine->processes,
			(unsigned long long)processes);
	if (engine->reason[0] != '\0') {
		fputs(": ", out);
		ftsan_put_text(out, engine->reason);
	}
	if (engine->detail[0] != '\0') {
		fputs(" (", out);
		ftsan_put_text(out, engine->detail);
		fputc(')', out);
	}
	if (!engine->active)
		fprintf(out, "; %s", blind_spot(engine->name));
	else if (engine->canary_known && !engine->canary)
		fputs("; its own canary was NOT caught, so a silence means nothing", out);
	fputc('\n', out);
}

/* An engine that works is no news; one that has to do without watchpoints is. */
static bool is_news(const struct ftsan_engine_state *engine, uint64_t processes)
{
	static const char degraded[] = "recheck; perf_event_open refused";

	return !engine->active || engine->processes < processes ||
	       strncmp(engine->detail, degraded, sizeof(degraded) - 1) == 0 ||
	       (engine->canary_known && !engine->canary);
}

static void write_engines(FILE *out, const struct ftsan_session *session, bool stats)
{
	for (size_t i = 0; i < session->n_engines; i++)
		if (stats || is_news(&session->engines[i], session->n_processes))
			write_engine(out, &session->engines[i], session->n_processes);
	if (session->silent > 0)
		fprintf(out, "ftsan: %llu %s did not say which engines were active\n",
			(unsigned long long)session->silent,
			ftsan_plural(session->silent, "process", "processes"));
}

/* What a silence does not speak of. */
static void write_unwatched(FILE *out, const struct ftsan_session *session)
{
	fputs("ftsan: not watched: ", out);
	ftsan_verdict_write_unwatched(out, session);
	fputc('\n', out);
}

static void write_attached(FILE *out, const struct ftsan_session *session)
{
	if (session->n_attached > 0)
		fputs("ftsan:   attached to a running process: arrays that were made "
		      "before were not guarded (mode=latent and mode=all watch their "
		      "headers inside operations)\n",
		      out);
}

static void put_signal(FILE *out, int signal)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{SIGABRT, "SIGABRT"}, {SIGALRM, "SIGALRM"}, {SIGBUS, "SIGBUS"},
		{SIGFPE, "SIGFPE"},   {SIGHUP, "SIGHUP"},   {SIGILL, "SIGILL"},
		{SIGINT, "SIGINT"},   {SIGKILL, "SIGKILL"}, {SIGPIPE, "SIGPIPE"},
		{SIGQUIT, "SIGQUIT"}, {SIGSEGV, "SIGSEGV"}, {SIGSYS, "SIGSYS"},
		{SIGTERM, "SIGTERM"}, {SIGTRAP, "SIGTRAP"}, {SIGXCPU, "SIGXCPU"},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(names); i++)
		if (names[i].number == signal) {
			fputs(names[i].name, out);
			return;
		}
	fprintf(out, "signal %d", signal);
}

/* " in t.py::test_one", the tests that a process was running at its end. */
static void put_last_tests(FILE *out, const struct ftsan_session *session, int pid)
{
	const json_t *test;
	size_t at;

	for (size_t i = 0; i < session->n_unended && i < FTSAN_UNENDED_NAMED; i++) {
		if (session->unended[i] != pid)
			continue;
		json_array_foreach(session->unended_tests[i], at, test)
		{
			const char *name = json_string_value(test);

			fputs(at == 0 ? " in " : ", ", out);
			ftsan_put_text(out, name != NULL ? name : "?");
		}
		return;
	}
}

static void write_deaths(FILE *out, const struct ftsan_session *session)
{
	for (size_t i = 0; i < session->n_deaths && i < FTSAN_DEATHS_KEPT; i++) {
		fprintf(out, "ftsan: process %d died of ", session->deaths[i].pid);
		put_signal(out, session->deaths[i].signal);
		put_last_tests(out, session, session->deaths[i].pid);
		fputc('\n', out);
	}
	if (session->n_deaths > FTSAN_DEATHS_KEPT)
		fprintf(out, "ftsan: %llu more processes died of signals\n",
			(unsigned long long)session->n_deaths - FTSAN_DEATHS_KEPT);
}

static void write_unended(FILE *out, const struct ftsan_session *session)
{
	for (size_t i = 0; i < session->n_unended && i < FTSAN_UNENDED_NAMED; i++)
		fprintf(out,
			"ftsan: process %d wrote no end record: it %s; its findings are "
			"complete, its counters may be some seconds old\n",
			session->unended[i],
			ftsan_session_signal(session, session->unended[i]) != 0
				? "was killed"
				: "was killed, or still runs");
	if (session->n_unended > FTSAN_UNENDED_NAMED)
		fprintf(out, "ftsan: the same holds for %llu more processes\n",
			(unsigned long long)session->n_unended - FTSAN_UNENDED_NAMED);
}

static void write_lost(FILE *out, const struct ftsan_session *session)
{
	if (session->lost > 0)
		fprintf(out, "ftsan: %lld findings are missing in the log\n",
			(long long)session->lost);
}

static void write_reading_notes(FILE *out, const struct ftsan_session *session,
				const struct ftsan_summary *summary)
{
	if (session->bad_lines > 0)
		fprintf(out, "ftsan: %llu %s of the log skipped: torn, or not ftsan's\n",
			(unsigned long long)session->bad_lines,
			ftsan_plural(session->bad_lines, "line", "lines"));
	if (summary->torn_files > 0)
		fprintf(out, "ftsan: %u log %s in the middle of a line\n",
			summary->torn_files,
			ftsan_plural(summary->torn_files, "file ends", "files end"));
	if (summary->mismatches > 0)
		fprintf(out,
			"ftsan: %u %s not the build that ran, so without source lines\n",
			summary->mismatches,
			ftsan_plural(summary->mismatches, "module on disk is",
				     "modules on disk are"));
}

void ftsan_summary_verdict(FILE *out, const struct ftsan_session *session,
			   const struct ftsan_summary *summary)
{
	fputs("ftsan: ", out);
	ftsan_verdict_write(out, session, summary->nothing);
	fputc('\n', out);
}

/* What a reader has to know of what was watched; the rest is for who asks for it. */
static void write_watched(FILE *out, const struct ftsan_session *session, bool stats)
{
	write_engines(out, session, stats);
	ftsan_summary_gil(out, session, stats);
	ftsan_summary_coverage(out, session, stats);
	if (stats || session->n_shown > 0)
		ftsan_modules_write(out, session, stats);
	ftsan_verdict_write_blind(out, session);
	write_unwatched(out, session);
	write_attached(out, session);
	write_deaths(out, session);
	write_unended(out, session);
	write_lost(out, session);
}

void ftsan_summary_write(FILE *out, const struct ftsan_session *session,
			 const struct ftsan_summary *summary)
{
	if (session->n_processes > 0 || session->n_found > 0) {
		write_findings(out, session);
		write_watched(out, session, summary->stats);
		if (summary->suppressions != NULL)
			ftsan_summary_suppressions(out, session, summary->suppressions);
	}
	write_reading_notes(out, session, summary);
	if (summary->log_path != NULL)
		fprintf(out, "ftsan: the log is %s\n", summary->log_path);
}
