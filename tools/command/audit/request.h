/* The command line of `ftsan audit`. */
#ifndef FTSAN_TOOLS_AUDIT_REQUEST_H
#define FTSAN_TOOLS_AUDIT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "audit/inventory.h"

enum ftsan_audit_format { FTSAN_AUDIT_TEXT, FTSAN_AUDIT_JSON, FTSAN_AUDIT_HTML };

/**
 * struct ftsan_audit_request - borrowed from argv, but for @options and @from
 * @output:   NULL: standard output
 * @baseline: NULL: there is none
 * @least:    grade that counts for the exit status
 * @from:     @n_from logs to read instead of running a command
 * @all:      text has what needs no lock, too
 */
struct ftsan_audit_request {
	enum ftsan_audit_format format;
	const char *output, *baseline, *log;
	enum ftsan_audit_grade least;
	const char **from;
	size_t n_from, from_capacity;
	char *options;
	bool all, keep_gil, progress, help;
	char **command;
};

/* Return: 0; -EINVAL, and what is wrong was printed. */
int ftsan_audit_parse(struct ftsan_audit_request *request, int argc, char **argv);
void ftsan_audit_request_release(struct ftsan_audit_request *request);

extern const char ftsan_audit_help[];

#endif
