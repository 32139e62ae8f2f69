#include "results/printer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/common.h"
#include "results/order.h"
#include "results/session_found.h"

char *ftsan_finding_text(const struct ftsan_view *view)
{
	size_t capacity = 1 << 15;
	struct ftsan_buf buf;
	char *text;

	for (;; capacity *= 2) {
		text = ftsan_xcalloc(capacity + 1, 1);
		ftsan_buf_init(&buf, text, capacity);
		ftsan_view_text(&buf, view);
		if (!buf.truncated)
			return text;
		free(text);
	}
}

static void write_out(FILE *out, char **text, const size_t *length)
{
	if (out == NULL)
		ftsan_error("out of memory");
	else if (fclose(out) == 0)
		ftsan_write_report(*text, *length);
	free(*text);
}

static void give_line(const struct ftsan_printer *printer, const char *fingerprint,
		      FILE *out, char **text)
{
	if (out != NULL && fclose(out) == 0 && fingerprint != NULL)
		printer->take_line(printer->taker, fingerprint, *text);
	free(*text);
}

void ftsan_print_finding(void *argument, const struct ftsan_occurrence *occurrence)
{
	const struct ftsan_printer *printer = argument;
	struct ftsan_resolved resolved;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	ftsan_resolve(&resolved, printer->symbolizer, occurrence);
	if (out != NULL)
		ftsan_brief_line(out, &resolved.view);
	if (printer->take_line != NULL)
		give_line(printer, resolved.view.fingerprint, out, &text);
	else
		write_out(out, &text, &length);
	ftsan_resolved_release(&resolved);
}

void ftsan_print_view(FILE *out, const struct ftsan_view *view,
		      const struct ftsan_brief *brief, bool full_stacks)
{
	char *text;

	if (!full_stacks) {
		ftsan_brief_write(out, view, brief);
		return;
	}
	text = ftsan_finding_text(view);
	fputs(text, out);
	ftsan_brief_notes(out, brief);
	free(text);
}

static void write_found(FILE *out, const struct ftsan_session *session,
			const struct ftsan_printer *printer,
			const struct ftsan_found *found, struct ftsan_brief *brief)
{
	struct ftsan_occurrence occurrence = {.session = session,
					      .modules = &found->modules};
	struct ftsan_resolved resolved;
	struct ftsan_record record;

	/* It was parsed before, so it can be parsed again. */
	if (ftsan_record_parse(&record, found->line, found->length) != 0)
		return;
	occurrence.record = &record.finding;
	ftsan_resolve(&resolved, printer->symbolizer, &occurrence);
	brief->found = found;
	ftsan_print_view(out, &resolved.view, brief, printer->full_stacks);
	if (printer->generated != NULL)
		ftsan_suppression_write(printer->generated, &resolved.view);
	ftsan_resolved_release(&resolved);
	ftsan_record_clear(&record);
}

static void write_all_found(FILE *out, const struct ftsan_session *session,
			    const struct ftsan_printer *printer)
{
	char *directory = getcwd(NULL, 0);
	struct ftsan_brief brief = {
		.directory = directory,
		.command = ftsan_session_command(session),
	};
	size_t n;
	const struct ftsan_found **list = ftsan_session_ordered(session, &n);

	for (size_t i = 0; i < n; i++)
		write_found(out, session, printer, list[i], &brief);
	free(list);
	free(directory);
}

void ftsan_print_results(const struct ftsan_session *session,
			 const struct ftsan_printer *printer,
			 const struct ftsan_summary *summary)
{
	struct ftsan_summary closing = *summary;
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	if (printer->silent)
		return;
	out = open_memstream(&text, &length);
	if (out != NULL) {
		ftsan_summary_verdict(out, session, summary);
		if (!printer->no_findings)
			write_all_found(out, session, printer);
		closing.mismatches = ftsan_symbolizer_mismatches(printer->symbolizer);
		ftsan_summary_write(out, session, &closing);
	}
	write_out(out, &text, &length);
}

static bool judge(void *argument, const struct ftsan_occurrence *occurrence)
{
	const struct ftsan_printer *printer = argument;
	struct ftsan_resolved resolved;
	bool hidden;

	ftsan_resolve(&resolved, printer->symbolizer, occurrence);
	hidden = ftsan_suppressions_match(printer->suppressions, &resolved.view,
					  occurrence->tests);
	ftsan_resolved_release(&resolved);
	return hidden;
}

static bool judge_tests(void *argument, const char *fingerprint, const json_t *tests)
{
	const struct ftsan_printer *printer = argument;

	return ftsan_suppressions_match_tests(printer->suppressions, fingerprint, tests);
}

void ftsan_printer_judges(struct ftsan_session *session)
{
	session->judge = judge;
	session->judge_tests = judge_tests;
}
