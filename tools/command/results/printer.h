/* A session as text on stderr: a line for each finding as it comes in, all at the end. */
#ifndef FTSAN_TOOLS_PRINTER_H
#define FTSAN_TOOLS_PRINTER_H

#include "results/brief.h"
#include "results/resolve.h"
#include "results/session.h"
#include "results/summary.h"
#include "suppressions/suppressions.h"
#include "symbols/symbols.h"

/**
 * struct ftsan_printer - the argument of a session's callbacks
 * @generated: NULL, or where lines that would suppress what was printed are collected
 * @full_stacks: every frame, as the library itself prints it
 * @no_findings: somebody else has printed them (pytest's summary)
 * @silent: there is nothing to tell, not even a verdict
 * @take_line: NULL, or who takes the line of a finding instead of stderr; @taker is its
 * own
 */
struct ftsan_printer {
	struct ftsan_symbolizer *symbolizer;
	struct ftsan_suppressions *suppressions;
	FILE *generated;
	bool full_stacks, no_findings, silent;
	void (*take_line)(void *taker, const char *fingerprint, const char *line);
	void *taker;
};

/* A ftsan_session_finding: one line, the report comes at the end. */
void ftsan_print_finding(void *argument, const struct ftsan_occurrence *occurrence);

/* The verdict, the findings, what was watched; in one write. */
void ftsan_print_results(const struct ftsan_session *session,
			 const struct ftsan_printer *printer,
			 const struct ftsan_summary *summary);

/* One finding, briefly or with every frame. */
void ftsan_print_view(FILE *out, const struct ftsan_view *view,
		      const struct ftsan_brief *brief, bool full_stacks);

/* Makes the suppressions of its argument, a printer, hide findings of @session. */
void ftsan_printer_judges(struct ftsan_session *session);

/* The text of ftsan_view_text(), whatever its length; malloc'ed, NUL-terminated. */
char *ftsan_finding_text(const struct ftsan_view *view);

#endif
