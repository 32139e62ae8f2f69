/* The command line of a command that prints text or JSON, and takes little else. */
#ifndef FTSAN_TOOLS_SIMPLE_REQUEST_H
#define FTSAN_TOOLS_SIMPLE_REQUEST_H

#include <stdbool.h>

/**
 * struct ftsan_simple_request - what was asked for
 * @json:      --format json
 * @help:      --help; the rest is not filled in then
 * @flag:      the command's own option was given
 * @arguments: what is no option; borrowed, ends with NULL
 */
struct ftsan_simple_request {
	bool json;
	bool help;
	bool flag;
	char **arguments;
};

/**
 * ftsan_simple_parse() - read it
 * @command: its name, for messages
 * @flag:    a further option of the command's, without a value; NULL: none
 *
 * Return: 0; -1: something is wrong, and was said.
 */
int ftsan_simple_parse(struct ftsan_simple_request *request, const char *command,
		       const char *flag, int argc, char **argv);

#endif
