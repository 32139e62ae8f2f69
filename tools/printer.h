/* Findings of a session as text on stderr, with source lines. */
#ifndef FTSAN_TOOLS_PRINTER_H
#define FTSAN_TOOLS_PRINTER_H

#include "session.h"
#include "symbolize.h"

/**
 * ftsan_print_finding() - a ftsan_session_finding
 * @argument: the struct ftsan_symbolizer
 */
void ftsan_print_finding(void *argument, const struct ftsan_session *session,
			 struct ftsan_finding_record *finding);

#endif
