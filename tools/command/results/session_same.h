/* Findings have a name, and a second one by which another log may know them. */
#ifndef FTSAN_TOOLS_SESSION_SAME_H
#define FTSAN_TOOLS_SESSION_SAME_H

#include "results/session_state.h"

/**
 * ftsan_session_find() - the finding of these names
 * @fingerprint: of the record
 * @also:        its other name, or NULL
 *
 * The one of the same name, or whose name is the other one's other name. Two that share
 * only their other name are two (detector's findings/seen.h has the same rule).
 *
 * Return: its number, FTSAN_NO_NAME when there is none.
 */
long ftsan_session_find(const struct ftsan_session *session, const char *fingerprint,
			const char *also);

/* The finding of another session, of a baseline, say; FTSAN_NO_NAME. */
long ftsan_session_find_found(const struct ftsan_session *session,
			      const struct ftsan_found *found);

/* Notes that finding @number goes by these names, too. */
void ftsan_session_alias(struct ftsan_session *session, size_t number,
			 const char *fingerprint, const char *also);

#endif
