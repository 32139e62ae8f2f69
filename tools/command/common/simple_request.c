#include "common/simple_request.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "common/message.h"

static int set_format(struct ftsan_simple_request *request, const char *command,
		      const char *name)
{
	request->json = strcmp(name, "json") == 0;
	if (request->json || strcmp(name, "text") == 0)
		return 0;
	ftsan_error("%s: --format is text or json, not %s", command, name);
	return -1;
}

int ftsan_simple_parse(struct ftsan_simple_request *request, const char *command,
		       const char *flag, int argc, char **argv)
{
	const struct option known[] = {
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{flag, no_argument, NULL, 'x'},
		{NULL, 0, NULL, 0},
	};
	int choice;

	*request = (struct ftsan_simple_request){.json = false};
	opterr = 0;
	optind = 1;
	while ((choice = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		switch (choice) {
		case 'h':
			request->help = true;
			return 0;
		case 'x':
			request->flag = true;
			break;
		case 'f':
			if (set_format(request, command, optarg) != 0)
				return -1;
			break;
		default:
			ftsan_error("%s: %s; see ftsan %s --help", command,
				    choice == ':' ? "--format needs a value"
						  : "unknown option",
				    command);
			return -1;
		}
	}
	request->arguments = argv + optind;
	return 0;
}
