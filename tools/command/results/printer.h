/* Findings of a session as text on stderr, as they come in. */
#ifndef FTSAN_TOOLS_PRINTER_H
#define FTSAN_TOOLS_PRINTER_H

#include "results/resolve.h"
#include "results/session.h"
#include "suppressions/suppressions.h"
#include "symbols/symbols.h"

/**
 * struct ftsan_printer - the argument of a session's callbacks
 * @generated: NULL, or where lines that would suppress what was printed are collected
 */
struct ftsan_printer {
	struct ftsan_symbolizer *symbolizer;
	struct ftsan_suppressions *suppressions;
	FILE *generated;
};

/* A ftsan_session_finding. */
void ftsan_print_finding(void *argument, const struct ftsan_occurrence *occurrence);

/* Makes the suppressions of its argument, a printer, hide findings of @session. */
void ftsan_printer_judges(struct ftsan_session *session);

/* The text of ftsan_view_text(), whatever its length; malloc'ed, NUL-terminated. */
char *ftsan_finding_text(const struct ftsan_view *view);

#endif
