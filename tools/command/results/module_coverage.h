/* What was seen of each extension module: which of its functions ran in threads. */
#ifndef FTSAN_TOOLS_MODULE_COVERAGE_H
#define FTSAN_TOOLS_MODULE_COVERAGE_H

#include <stdio.h>

#include "results/session_state.h"

/* Of a coverage record: the list of its modules. Several processes: the one that saw
 * most. */
void ftsan_modules_add(struct ftsan_coverage *coverage, const json_t *list);
/* What a process, or several, had seen of one. */
void ftsan_modules_note(struct ftsan_coverage *coverage, const char *path,
			const struct ftsan_module_seen *seen);
void ftsan_modules_release(struct ftsan_coverage *coverage);

/**
 * struct ftsan_module_line - a module as it is shown
 * @name:   as it is imported, without its packages; borrowed for FTSAN_MODULE_NAME bytes
 * @own:    it is of no installed package and not the standard library's
 * @faults: findings that are shown and whose function is in it
 */
enum { FTSAN_MODULE_NAME = 64 };
struct ftsan_module_line {
	const struct ftsan_module_seen *seen;
	char name[FTSAN_MODULE_NAME];
	bool own;
	uint64_t faults;
};

/**
 * ftsan_modules_ranked() - those that are worth showing, the reader's own first
 * @n: gets their number
 *
 * Modules of the standard library are left out, unless one is at fault, and those of
 * packages of which nothing ran.
 *
 * Return: malloc'ed, the caller's; NULL when there are none.
 */
struct ftsan_module_line *ftsan_modules_ranked(const struct ftsan_session *session,
					       size_t *n);

/* One line of the summary; none where more than a few modules ran, unless @all are asked for. */
void ftsan_modules_write(FILE *out, const struct ftsan_session *session, bool all);

#endif
