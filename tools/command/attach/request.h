/* The command lines of `ftsan attach` and `ftsan detach`. */
#ifndef FTSAN_TOOLS_ATTACH_REQUEST_H
#define FTSAN_TOOLS_ATTACH_REQUEST_H

#include <stdbool.h>
#include <sys/types.h>

#include "attach/deliver.h"
#include "suppressions/suppressions.h"

/**
 * struct ftsan_attach_request - a command line
 * @name:     "attach", "detach"
 * @options:  owned, the rest borrowed
 * @duration: seconds, < 0: no end
 * @live:     on a screen of its own, if there is a terminal
 */
struct ftsan_attach_request {
	const char *name;
	bool attach;
	const char *log, *python;
	char *options;
	double duration;
	unsigned timeout;
	enum ftsan_way way;
	bool keep, live, help;
	pid_t pid;
	struct ftsan_suppressions suppressions;
};

/* Return: 0; -EINVAL, and the reason was printed. */
int ftsan_attach_parse(struct ftsan_attach_request *request, int argc, char **argv);

/* What --help prints; static storage. */
const char *ftsan_attach_help(const struct ftsan_attach_request *request);

#endif
