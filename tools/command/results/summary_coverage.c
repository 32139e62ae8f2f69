#include <string.h>

#include "base/base.h"
#include "results/summary_parts.h"

/* One counter over all processes. */
static long long total(const struct ftsan_session *session, const char *name)
{
	return ftsan_session_total(session, name);
}

/* "5 too many, 3 size" */
static void write_counted(FILE *out, const struct ftsan_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		fprintf(out, "%s%llu ", i > 0 ? ", " : "",
			(unsigned long long)names->counts[i]);
		ftsan_put_text(out, names->texts[i]);
	}
}

/* What could not be done, where there was any of it. */
static void write_lost(FILE *out, const struct ftsan_session *session)
{
	static const struct {
		const char *name, *meaning;
	} kinds[] = {
		{"reports_lost", "findings that could not be written to the log"},
		{"log_errors", "log lines that could not be written"},
		{"stacks_refused", "threads that had no memory for a signal stack"},
		{"scout_refused", "refusals to start the scout thread: without it, only "
				  "allocations publish"},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(kinds); i++)
		if (total(session, kinds[i].name) > 0)
			fprintf(out, "ftsan:   lost: %lld %s\n",
				total(session, kinds[i].name), kinds[i].meaning);
}

static void write_guard(FILE *out, const struct ftsan_session *session)
{
	long long long_lived = total(session, "arrays_over_10ms");

	fprintf(out, "ftsan: coverage: %lld buffers seen, %lld guarded, %lld published\n",
		total(session, "buffers_seen"), total(session, "buffers_guarded"),
		total(session, "buffers_published"));
	if (session->coverage.left_out.n > 0) {
		fputs("ftsan:   left out: ", out);
		write_counted(out, &session->coverage.left_out);
		fputc('\n', out);
	}
	if (long_lived > 0)
		fprintf(out,
			"ftsan:   %lld of %lld arrays that lived over 10 ms were "
			"watched\n",
			total(session, "arrays_over_10ms_published"), long_lived);
	if (total(session, "operations_watched") > 0)
		fprintf(out,
			"ftsan:   %lld calls of operations were watched for hazards, "
			"%lld arrays sealed for them\n",
			total(session, "operations_watched"),
			total(session, "arrays_held"));
	if (total(session, "headers_watched") > 0)
		fprintf(out,
			"ftsan:   array headers watched %lld times, %.1f s summed over "
			"their words\n",
			total(session, "headers_watched"),
			(double)total(session, "header_word_ms") / 1000);
	fprintf(out, "ftsan:   %lld traps, %lld windows (%lld ms), %lld collisions\n",
		total(session, "traps"), total(session, "windows"),
		total(session, "window_ms"), total(session, "collisions"));
	fprintf(out,
		"ftsan:   %lld threads, %.1f MiB of guard memory resident (%.1f MiB at "
		"most)\n",
		total(session, "threads"),
		(double)total(session, "guard_resident_bytes") / (1 << 20),
		(double)total(session, "guard_bytes") / (1 << 20));
	write_lost(out, session);
}

/* Not worth watching: no second thread uses such arrays. Older logs call them young. */
static bool is_short_lived(const char *reason)
{
	return strcmp(reason, "short_lived") == 0 || strcmp(reason, "young") == 0;
}

/* A few copies of arrays that nobody was seen to own are no news. */
static bool is_minor(const struct ftsan_session *session, const char *reason, uint64_t n)
{
	enum { ONE_IN = 100 };

	return strcmp(reason, "unbound") == 0 &&
	       n * ONE_IN < (uint64_t)total(session, "buffers_guarded");
}

/* The reason as users know it; "" for one of a later version. */
static const char *meaning_of(const char *reason)
{
	static const struct {
		const char *reason, *meaning;
	} meanings[] = {
		{"slots", " (more at once than the bound)"},
		{"size", " (larger than the bound)"},
		{"fragments", " (more sealed pages than the bound)"},
		{"budget", " (until sealing pages had its share of the run time again)"},
		{"unbound", " (not known whose they are)"},
		{"kernel", " (a system call failed)"},
		{"thread", " (too many threads)"},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(meanings); i++)
		if (strcmp(meanings[i].reason, reason) == 0)
			return meanings[i].meaning;
	return "";
}

/* Arrays that were worth watching, and for which there was no room. */
static void write_bounds(FILE *out, const struct ftsan_session *session)
{
	const struct ftsan_names *reasons = &session->coverage.left_out;
	unsigned written = 0;

	for (size_t i = 0; i < reasons->n; i++) {
		const char *reason = reasons->texts[i];

		if (reasons->counts[i] == 0 || is_short_lived(reason) ||
		    is_minor(session, reason, reasons->counts[i]))
			continue;
		fprintf(out, "%s%llu ",
			written++ == 0 ? "ftsan: arrays not watched, left out: " : ", ",
			(unsigned long long)reasons->counts[i]);
		ftsan_put_text(out, reason);
		fputs(meaning_of(reason), out);
	}
	fputs(written > 0 ? "; `ftsan options` has the bounds\n" : "", out);
	write_lost(out, session);
}

/* Statics next to locks of libc, whose page can't be closed, and no watchpoint for them.
 */
static void write_unread(FILE *out, const struct ftsan_session *session)
{
	const struct ftsan_names *names = &session->coverage.unread;

	if (session->coverage.n_unread == 0)
		return;
	fprintf(out,
		"ftsan: NOT WATCHED: loads of %llu %s of static data next to locks (",
		(unsigned long long)session->coverage.n_unread,
		ftsan_plural(session->coverage.n_unread, "word", "words"));
	for (size_t i = 0; i < names->n; i++) {
		fputs(i > 0 ? ", " : "", out);
		ftsan_put_text(out, names->texts[i]);
	}
	fputs("): no watchpoint could be had, so only stores were seen to race there\n", out);
}

void ftsan_summary_coverage(FILE *out, const struct ftsan_session *session, bool stats)
{
	uint64_t covered = session->coverage.processes;

	if (covered > 0 && stats)
		write_guard(out, session);
	else if (covered > 0)
		write_bounds(out, session);
	write_unread(out, session);
	if (covered < session->n_processes)
		fprintf(out, "ftsan: no coverage from %llu of %llu processes\n",
			(unsigned long long)(session->n_processes - covered),
			(unsigned long long)session->n_processes);
}

/* @on: processes in which they got it */
static void write_requesters(FILE *out, const struct ftsan_names *names, uint64_t on)
{
	for (size_t i = 0; i < names->n; i++) {
		fputs(i == 0 ? "ftsan:   asked for by " : ", ", out);
		ftsan_put_text(out, names->texts[i]);
	}
	if (names->n > 0)
		fputc('\n', out);
	if (names->n > 0 && on > 0)
		fputs("ftsan:   -X gil=0 keeps it off all the same (-I and -E hide "
		      "PYTHON_GIL)\n",
		      out);
}

void ftsan_summary_gil(FILE *out, const struct ftsan_session *session, bool stats)
{
	static const struct {
		const char *state, *meaning;
	} states[] = {
		[FTSAN_GIL_OFF] = {"off", ""},
		[FTSAN_GIL_ON] = {"on",
				  ": threads took turns, so few races can show; hazards "
				  "(mode=latent) show all the same"},
		[FTSAN_GIL_UNKNOWN] = {"unknown", ""},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(states); i++) {
		uint64_t count = session->coverage.gil[i];

		if (count == 0 || (i == FTSAN_GIL_OFF && !stats))
			continue;
		fprintf(out, "ftsan: GIL %s", states[i].state);
		if (count < session->n_processes)
			fprintf(out, " in %llu of %llu processes",
				(unsigned long long)count,
				(unsigned long long)session->n_processes);
		fprintf(out, "%s\n", states[i].meaning);
	}
	write_requesters(out, &session->coverage.requesters,
			 session->coverage.gil[FTSAN_GIL_ON]);
}
