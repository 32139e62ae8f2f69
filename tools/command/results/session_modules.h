/* What was loaded in the processes of a session, and which build of it. */
#ifndef FTSAN_TOOLS_SESSION_MODULES_H
#define FTSAN_TOOLS_SESSION_MODULES_H

#include "results/session_state.h"

/* A module that the process @source told of; @build_id may be NULL or "". */
void ftsan_session_module(struct ftsan_session *session, struct ftsan_source *source,
			  const char *path, const char *build_id);

/**
 * ftsan_session_build_id() - the build id of a module
 * @modules: those of the process that named @path; others count when it has none and
 *           they agree
 *
 * Return: NULL when the log gives none.
 */
const char *ftsan_session_build_id(const struct ftsan_session *session,
				   const struct ftsan_module_list *modules,
				   const char *path);

#endif
