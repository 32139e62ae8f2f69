/* The command line of `ftsan report`. */
#ifndef FTSAN_TOOLS_REPORT_REQUEST_H
#define FTSAN_TOOLS_REPORT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "report/report_model.h"

/* struct ftsan_report_list - values of an option that may be given several times;
 * borrowed */
struct ftsan_report_list {
	const char **values;
	size_t n, capacity;
};

/* struct ftsan_report_request - the command line; strings are borrowed */
struct ftsan_report_request {
	const struct ftsan_format *format;
	const char *output;
	const char *colour;
	struct ftsan_report_list baselines, debug_dirs;
	const char *sysroot, *root;
	bool exit_code, help, full_stacks, stats, open, no_summary;
	char **logs;
	char **stored; /* of the last run, owned; NULL: others were named */
	struct ftsan_suppressions suppressions;
	bool bad;
};

/* What --help prints. */
extern const char ftsan_report_help[];

/* Return: 0; -EINVAL, and the reason was printed. */
int ftsan_report_parse(struct ftsan_report_request *request, int argc, char **argv);

#endif
