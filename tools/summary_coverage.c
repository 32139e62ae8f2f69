#include "base/annot.h"
#include "summary.h"

static long long total(const struct ftsan_session *session, enum ftsan_sum sum)
{
	return session->coverage.sums[sum];
}

/* "5 too many, 3 size" */
static void write_counted(FILE *out, const struct ftsan_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		fprintf(out, "%s%llu ", i > 0 ? ", " : "",
			(unsigned long long)names->counts[i]);
		ftsan_summary_text(out, names->texts[i]);
	}
}

static void write_guard(FILE *out, const struct ftsan_session *session)
{
	long long long_lived = total(session, FTSAN_SUM_ARRAYS_OVER_10MS);

	fprintf(out, "ftsan: coverage: %lld buffers seen, %lld guarded, %lld published\n",
		total(session, FTSAN_SUM_BUFFERS_SEEN),
		total(session, FTSAN_SUM_BUFFERS_GUARDED),
		total(session, FTSAN_SUM_BUFFERS_PUBLISHED));
	if (session->coverage.left_out.n > 0) {
		fputs("ftsan:   left out: ", out);
		write_counted(out, &session->coverage.left_out);
		fputc('\n', out);
	}
	if (long_lived > 0)
		fprintf(out,
			"ftsan:   %lld of %lld arrays that lived over 10 ms were "
			"watched\n",
			total(session, FTSAN_SUM_ARRAYS_OVER_10MS_PUBLISHED), long_lived);
	if (total(session, FTSAN_SUM_OPERATIONS_WATCHED) > 0)
		fprintf(out,
			"ftsan:   %lld calls of operations were watched for hazards, "
			"%lld arrays sealed for them\n",
			total(session, FTSAN_SUM_OPERATIONS_WATCHED),
			total(session, FTSAN_SUM_ARRAYS_HELD));
	if (total(session, FTSAN_SUM_HEADERS_WATCHED) > 0)
		fprintf(out,
			"ftsan:   array headers watched %lld times, %.1f s summed over "
			"their words\n",
			total(session, FTSAN_SUM_HEADERS_WATCHED),
			(double)total(session, FTSAN_SUM_HEADER_WORD_MS) / 1000);
	fprintf(out, "ftsan:   %lld traps, %lld windows (%lld ms), %lld collisions\n",
		total(session, FTSAN_SUM_TRAPS), total(session, FTSAN_SUM_WINDOWS),
		total(session, FTSAN_SUM_WINDOW_MS),
		total(session, FTSAN_SUM_COLLISIONS));
	fprintf(out, "ftsan:   %lld threads, %.1f MiB of guard memory\n",
		total(session, FTSAN_SUM_THREADS),
		(double)total(session, FTSAN_SUM_GUARD_BYTES) / (1 << 20));
}

void ftsan_summary_coverage(FILE *out, const struct ftsan_session *session)
{
	uint64_t covered = session->coverage.processes;

	if (covered > 0)
		write_guard(out, session);
	if (covered < session->n_processes)
		fprintf(out, "ftsan: no coverage from %llu of %llu processes\n",
			(unsigned long long)(session->n_processes - covered),
			(unsigned long long)session->n_processes);
}

static void write_requesters(FILE *out, const struct ftsan_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		fputs(i == 0 ? "ftsan:   asked for by " : ", ", out);
		ftsan_summary_text(out, names->texts[i]);
	}
	if (names->n > 0)
		fputc('\n', out);
}

void ftsan_summary_gil(FILE *out, const struct ftsan_session *session)
{
	static const struct {
		const char *state, *meaning;
	} states[] = {
		[FTSAN_GIL_OFF] = {"off", ""},
		[FTSAN_GIL_ON] = {"on", ": threads took turns, so few races can show; hazards "
				       "(mode=latent) show all the same"},
		[FTSAN_GIL_UNKNOWN] = {"unknown", ""},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(states); i++) {
		uint64_t count = session->coverage.gil[i];

		if (count == 0)
			continue;
		fprintf(out, "ftsan: GIL %s", states[i].state);
		if (count < session->n_processes)
			fprintf(out, " in %llu of %llu processes",
				(unsigned long long)count,
				(unsigned long long)session->n_processes);
		fprintf(out, "%s\n", states[i].meaning);
	}
	write_requesters(out, &session->coverage.requesters);
}
