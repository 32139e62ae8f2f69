#include "audit/request.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "live/live.h"

const char ftsan_audit_help[] =
	"usage: ftsan audit [OPTION...] [--] CMD ARGS...\n"
	"       ftsan audit [OPTION...] --from LOG...\n"
	"\n"
	"Runs CMD with mode=latent and lists every static variable that an extension "
	"module, or\n"
	"a library in its wheel, writes after its import: who writes it, under which "
	"lock, how\n"
	"often, in which tests, and how bad it would be with two threads. One thread "
	"suffices.\n"
	"\n"
	"  -o, --output FILE\n"
	"                 write to FILE, not to standard output\n"
	"  --format F     text (default), json, html; told by FILE's name, too\n"
	"  --baseline OLD.json\n"
	"                 compare with an earlier audit (--format json): what is new, "
	"gone,\n"
	"                 of another class\n"
	"  --grade G      with --baseline, the least grade that makes the exit status "
	"66: low,\n"
	"                 medium (default), high\n"
	"  --all          text lists what needs no lock as well: atomics, what a once "
	"function\n"
	"                 or a C++ static initializes, stores below an import, locks "
	"themselves\n"
	"  --log FILE     keep the log, as `ftsan run` does; `ftsan report` has the "
	"stacks\n"
	"  --options K=V:K=V\n"
	"                 options of the run: statics=NAMES chooses the modules\n"
	"  --keep-gil     let modules switch the GIL on that ask for it\n"
	"  --progress     show how it goes, in a line that is updated, if stderr is a "
	"terminal\n"
	"  --from LOG     read the log of an earlier audit, or of `ftsan run --options\n"
	"                 mode=latent:inventory=1`; may be given several times\n"
	"\n"
	"Tests have names where CMD is pytest and has ftsan's plugin.\n"
	"\n"
	"Exit status: that of CMD if it failed; 66 when, with --baseline, a static is "
	"written\n"
	"without a lock that was not before; 67 when no module's statics were watched; "
	"125 when\n"
	"ftsan failed; 126, 127, 128+n as of `ftsan run`; else 0.\n";

enum {
	OPTION_FORMAT = 0x100,
	OPTION_BASELINE,
	OPTION_GRADE,
	OPTION_ALL,
	OPTION_LOG,
	OPTION_OPTIONS,
	OPTION_GIL,
	OPTION_PROGRESS,
	OPTION_FROM,
};

static const struct option known_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"baseline", required_argument, NULL, OPTION_BASELINE},
	{"grade", required_argument, NULL, OPTION_GRADE},
	{"all", no_argument, NULL, OPTION_ALL},
	{"log", required_argument, NULL, OPTION_LOG},
	{"options", required_argument, NULL, OPTION_OPTIONS},
	{"keep-gil", no_argument, NULL, OPTION_GIL},
	{"progress", no_argument, NULL, OPTION_PROGRESS},
	{"from", required_argument, NULL, OPTION_FROM},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int set_format(struct ftsan_audit_request *request, const char *name)
{
	static const char *const names[] = {"text", "json", "html"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		request->format = (enum ftsan_audit_format)i;
		return 0;
	}
	ftsan_error("audit: unknown format %s; known are text, json, html", name);
	return -EINVAL;
}

static int set_grade(struct ftsan_audit_request *request, const char *name)
{
	int grade = ftsan_audit_grade(name);

	if (grade > FTSAN_AUDIT_COUNTED) {
		request->least = (enum ftsan_audit_grade)grade;
		return 0;
	}
	ftsan_error("audit: --grade is low, medium or high, not %s", name);
	return -EINVAL;
}

static void add_log(struct ftsan_audit_request *request, const char *name)
{
	request->from = ftsan_xgrow(request->from, request->n_from,
				    &request->from_capacity, sizeof(name));
	request->from[request->n_from++] = name;
}

static int take(struct ftsan_audit_request *request, int choice)
{
	switch (choice) {
	case 'o':
		request->output = optarg;
		return 0;
	case OPTION_FORMAT:
		return set_format(request, optarg);
	case OPTION_BASELINE:
		request->baseline = optarg;
		return 0;
	case OPTION_GRADE:
		return set_grade(request, optarg);
	case OPTION_ALL:
		request->all = true;
		return 0;
	case OPTION_LOG:
		request->log = optarg;
		return 0;
	case OPTION_OPTIONS:
		ftsan_live_add_options(&request->options, optarg);
		return 0;
	case OPTION_GIL:
		request->keep_gil = true;
		return 0;
	case OPTION_PROGRESS:
		request->progress = true;
		return 0;
	case OPTION_FROM:
		add_log(request, optarg);
		return 0;
	case 'h':
		request->help = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Unless --format says otherwise. */
static void guess_format(struct ftsan_audit_request *request)
{
	if (request->output == NULL)
		return;
	if (ends_with(request->output, ".json"))
		request->format = FTSAN_AUDIT_JSON;
	else if (ends_with(request->output, ".html") ||
		 ends_with(request->output, ".htm"))
		request->format = FTSAN_AUDIT_HTML;
}

static int check(const struct ftsan_audit_request *request)
{
	if (request->n_from > 0 && request->command[0] != NULL) {
		ftsan_error("audit: --from reads logs, so there is no command to run");
		return -EINVAL;
	}
	if (request->n_from > 0)
		return 0;
	if (request->command[0] == NULL) {
		ftsan_error("audit: no command to run; see ftsan audit --help");
		return -EINVAL;
	}
	if (request->format != FTSAN_AUDIT_TEXT && request->output == NULL) {
		ftsan_error(
			"audit: the command writes to standard output, too: say where "
			"the report goes with -o FILE (-o - if it is silent)");
		return -EINVAL;
	}
	return 0;
}

int ftsan_audit_parse(struct ftsan_audit_request *request, int argc, char **argv)
{
	bool formatted = false;
	int choice;

	memset(request, 0, sizeof(*request));
	request->least = FTSAN_AUDIT_MEDIUM;
	opterr = 0;
	optind = 1;
	while ((choice = getopt_long(argc, argv, "+:o:h", known_options, NULL)) != -1) {
		formatted |= choice == OPTION_FORMAT;
		if (choice == ':' || choice == '?') {
			ftsan_error(choice == ':'
					    ? "audit: %s needs a value; see ftsan audit "
					      "--help"
					    : "audit: unknown option %s; options of the "
					      "command to run come after it; see ftsan "
					      "audit --help",
				    argv[optind - 1]);
			return -EINVAL;
		}
		if (take(request, choice) != 0)
			return -EINVAL;
		if (request->help)
			return 0;
	}
	request->command = argv + optind;
	if (!formatted)
		guess_format(request);
	return check(request);
}

void ftsan_audit_request_release(struct ftsan_audit_request *request)
{
	free(request->options);
	free(request->from);
}
