#include "attach/request.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "live/live.h"

static const char attach_help[] =
	"usage: ftsan attach [OPTION...] PID\n"
	"\n"
	"Watches a CPython process that runs already, and prints findings on stderr as "
	"they\n"
	"occur. Ctrl-C ends it: ftsan leaves the process as it was, and prints a "
	"summary.\n"
	"Arrays that are older than the attach are not guarded.\n"
	"\n"
	"  --log FILE     keep the log (JSON Lines) in FILE\n"
	"  --options K=V:K=V\n"
	"                 options; `ftsan options` lists them\n"
	"  --duration SECONDS\n"
	"                 detach after that time\n"
	"  --live         show how it goes on a screen of its own: what was found, what "
	"is\n"
	"                 watched, and which functions of which modules threads ran\n"
	"  --keep         return at once and stay attached; `ftsan detach PID` ends it\n"
	"  --suppressions FILE\n"
	"                 findings that FILE tells of are not printed and do not make "
	"the\n"
	"                 exit status 66; may be given several times\n"
	"  --by ptrace|remote\n"
	"                 how to get in: by ptrace, or by sys.remote_exec (CPython 3.14 "
	"and\n"
	"                 later, the default there)\n"
	"  --python FILE  the interpreter that calls sys.remote_exec; default: the "
	"process's,\n"
	"                 if that is no other user's\n"
	"  --timeout SECONDS\n"
	"                 how long to look for a thread at a safe point (default 10)\n"
	"\n"
	"Exit status: 0; 66 when there are findings; 125 when ftsan could not attach.\n";

static const char detach_help[] =
	"usage: ftsan detach [--by ptrace|remote] [--python FILE] [--timeout SECONDS] "
	"PID\n"
	"\n"
	"Leaves a process that was attached to, and is still watched, as it was before:\n"
	"imports, tables of functions, signal handlers. What frees guarded arrays stays "
	"until\n"
	"the last of them is gone. Exit status: 0; 125 when that failed.\n";

static int take_number(const struct ftsan_attach_request *request, const char *text,
		       double *to)
{
	char *end;

	*to = strtod(text, &end);
	if (*text != '\0' && *end == '\0' && *to >= 0 && *to < 1e9)
		return 0;
	ftsan_error("%s: %s is no number of seconds", request->name, text);
	return -EINVAL;
}

static int take_way(struct ftsan_attach_request *request, const char *text)
{
	if (strcmp(text, "ptrace") == 0)
		request->way = FTSAN_WAY_PTRACE;
	else if (strcmp(text, "remote") == 0)
		request->way = FTSAN_WAY_REMOTE;
	else {
		ftsan_error("%s: --by takes ptrace or remote", request->name);
		return -EINVAL;
	}
	return 0;
}

static int take_pid(struct ftsan_attach_request *request, char *const *arguments)
{
	char *end;
	long pid;

	if (arguments[0] == NULL || arguments[1] != NULL) {
		ftsan_error("%s: which process? One PID, after the options",
			    request->name);
		return -EINVAL;
	}
	errno = 0;
	pid = strtol(arguments[0], &end, 10);
	if (errno != 0 || *end != '\0' || end == arguments[0] || pid <= 0 ||
	    pid > 0x7fffffff) {
		ftsan_error("%s: %s is no process id", request->name, arguments[0]);
		return -EINVAL;
	}
	request->pid = (pid_t)pid;
	return 0;
}

static int take_option(struct ftsan_attach_request *request, int choice)
{
	double seconds;
	int error;

	switch (choice) {
	case 'l':
		request->log = optarg;
		return 0;
	case 'o':
		ftsan_live_add_options(&request->options, optarg);
		return 0;
	case 'd':
		return take_number(request, optarg, &request->duration);
	case 'k':
		request->keep = true;
		return 0;
	case 'L':
		request->live = true;
		return 0;
	case 's':
		return ftsan_suppressions_read(&request->suppressions, optarg,
					       ftsan_today());
	case 'b':
		return take_way(request, optarg);
	case 'p':
		request->python = optarg;
		return 0;
	case 't':
		error = take_number(request, optarg, &seconds);
		request->timeout = (unsigned)seconds + (seconds < 1);
		return error;
	}
	return -EINVAL;
}

int ftsan_attach_parse(struct ftsan_attach_request *request, int argc, char **argv)
{
	static const struct option of_attach[] = {
		{"log", required_argument, NULL, 'l'},
		{"options", required_argument, NULL, 'o'},
		{"duration", required_argument, NULL, 'd'},
		{"keep", no_argument, NULL, 'k'},
		{"live", no_argument, NULL, 'L'},
		{"suppressions", required_argument, NULL, 's'},
		{"by", required_argument, NULL, 'b'},
		{"python", required_argument, NULL, 'p'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	/* These and what follows are detach's as well. */
	enum { DETACH = 6 };
	const struct option *known = request->attach ? of_attach : of_attach + DETACH;
	int choice;

	opterr = 0;
	optind = 1;
	while ((choice = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (choice == 'h') {
			request->help = true;
			return 0;
		}
		if (choice == '?' || choice == ':') {
			ftsan_error("%s: %s %s; see ftsan %s --help", request->name,
				    choice == '?' ? "unknown option" : "no value for",
				    argv[optind - 1], request->name);
			return -EINVAL;
		}
		if (take_option(request, choice) != 0)
			return -EINVAL;
	}
	return take_pid(request, argv + optind);
}

const char *ftsan_attach_help(const struct ftsan_attach_request *request)
{
	return request->attach ? attach_help : detach_help;
}
