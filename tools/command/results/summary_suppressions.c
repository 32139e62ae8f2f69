#include "results/summary_parts.h"

/* @suppression matched something, or hid nothing for a reason. */
static void write_use(FILE *out, const struct ftsan_suppression *suppression)
{
	uint64_t records = 0;

	for (size_t i = 0; i < suppression->matched.n; i++)
		records += suppression->matched.counts[i];
	if (suppression->expired)
		fputs("expired, not applied", out);
	if (suppression->expired && records > 0)
		fputs("; it would match ", out);
	if (records > 0)
		fprintf(out, "%zu %s", suppression->matched.n,
			ftsan_plural(suppression->matched.n, "finding", "findings"));
	if (records > suppression->matched.n)
		fprintf(out, " in %llu records", (unsigned long long)records);
	if (records == 0 && !suppression->expired)
		fputs("unused", out);
}

void ftsan_summary_suppressions(FILE *out, const struct ftsan_session *session,
				const struct ftsan_suppressions *suppressions)
{
	size_t hidden = session->n_found - session->n_shown;

	if (suppressions->n == 0 && session->hidden_by.n == 0)
		return;
	fprintf(out, "ftsan: suppressions: %zu %s suppressed\n", hidden,
		ftsan_plural(hidden, "finding", "findings"));
	for (size_t i = 0; i < suppressions->n; i++) {
		const struct ftsan_suppression *suppression = &suppressions->list[i];

		fputs("ftsan:   ", out);
		ftsan_put_text(out, suppression->place);
		fputs(": ", out);
		ftsan_put_text(out, suppression->text);
		fputs(": ", out);
		write_use(out, suppression);
		fputc('\n', out);
	}
	for (size_t i = 0; i < session->hidden_by.n; i++) {
		uint64_t records = session->hidden_by.counts[i];

		fputs("ftsan:   pytest: ", out);
		ftsan_put_text(out, session->hidden_by.texts[i]);
		fprintf(out, ": %llu %s\n", (unsigned long long)records,
			ftsan_plural(records, "record", "records"));
	}
}
