#include "results/printer.h"

#include <stdlib.h>
#include <string.h>

#include "common/common.h"

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

void ftsan_print_finding(void *argument, const struct ftsan_occurrence *occurrence)
{
	const struct ftsan_printer *printer = argument;
	struct ftsan_resolved resolved;
	char *text;

	ftsan_resolve(&resolved, printer->symbolizer, occurrence);
	text = ftsan_finding_text(&resolved.view);
	ftsan_write_report(text, strlen(text));
	free(text);
	if (printer->generated != NULL)
		ftsan_suppression_write(printer->generated, &resolved.view);
	ftsan_resolved_release(&resolved);
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
