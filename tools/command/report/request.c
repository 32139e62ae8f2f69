#include "report/request.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"

const char ftsan_report_help[] =
	"usage: ftsan report [OPTION...] [LOG...]\n"
	"\n"
	"Merges logs (of several processes, runs, machines; gzip'ed ones, too; - is\n"
	"standard input) and prints each finding once, and a summary. Without a LOG "
	"those of\n"
	"the last `ftsan run` that named none.\n"
	"\n"
	"  --format F     text (default), json, sarif, junit, html, csv, github, "
	"markdown\n"
	"  -o, --output FILE\n"
	"                 write to FILE, not to standard output\n"
	"  --color WHEN   auto (default), always, never; auto respects NO_COLOR\n"
	"  --suppressions FILE\n"
	"                 leave out the findings that FILE tells of; may be given "
	"several\n"
	"                 times\n"
	"  --gen-suppressions\n"
	"                 print lines for such a file instead of a report\n"
	"  --baseline LOG compare with an older log: which findings are new, known, "
	"gone;\n"
	"                 may be given several times\n"
	"  --open         write it as html and show it in the browser\n"
	"  --full-stacks  text has every frame, those of CPython and pytest, too\n"
	"  --no-summary   text is the findings only\n"
	"  --stats        text has every number of what was watched\n"
	"  --exit-code    exit status 66 when there are findings; with --baseline, "
	"which\n"
	"                 implies this, when there are new ones; 67 when there are none "
	"and\n"
	"                 nothing was watched\n"
	"  --sysroot DIR  the files of the machine that wrote the log are below DIR\n"
	"  --debug-dir DIR\n"
	"                 look for modules and debug information in DIR, too; may be\n"
	"                 given several times\n"
	"  --source-root DIR\n"
	"                 file names of sarif, github and junit are relative to DIR\n"
	"                 (default: GITHUB_WORKSPACE, or the current directory)\n"
	"\n"
	"Servers named in DEBUGINFOD_URLS are asked for debug information; unset, none "
	"is.\n"
	"\n"
	"Exit status: 0; 66 and 67 as above; 125 when a log can't be read or is none of "
	"ftsan's\n"
	"(the others are reported all the same).\n";

static const struct ftsan_format *const formats[] = {
	&ftsan_format_text,   &ftsan_format_json,     &ftsan_format_sarif,
	&ftsan_format_junit,  &ftsan_format_html,     &ftsan_format_csv,
	&ftsan_format_github, &ftsan_format_markdown,
};

static void add(struct ftsan_report_list *list, const char *value)
{
	list->values = ftsan_xgrow(list->values, list->n, &list->capacity, sizeof(value));
	list->values[list->n++] = value;
}

static void set_format(struct ftsan_report_request *request, const char *name)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(formats); i++) {
		if (strcmp(name, formats[i]->name) == 0) {
			request->format = formats[i];
			return;
		}
	}
	ftsan_error("report: unknown format %s; known are text, json, sarif, junit, "
		    "html, csv, github, markdown",
		    name);
	request->bad = true;
}

static void set_colour(struct ftsan_report_request *request, const char *when)
{
	if (strcmp(when, "auto") && strcmp(when, "always") && strcmp(when, "never")) {
		ftsan_error("report: --color is auto, always or never, not %s", when);
		request->bad = true;
	}
	request->colour = when;
}

enum {
	OPTION_FORMAT = 0x100,
	OPTION_COLOUR,
	OPTION_SUPPRESSIONS,
	OPTION_GENERATE,
	OPTION_BASELINE,
	OPTION_EXIT_CODE,
	OPTION_FULL_STACKS,
	OPTION_STATS,
	OPTION_OPEN,
	OPTION_NO_SUMMARY,
	OPTION_SYSROOT,
	OPTION_DEBUG_DIR,
	OPTION_ROOT,
};

static const struct option known_options[] = {
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"output", required_argument, NULL, 'o'},
	{"color", required_argument, NULL, OPTION_COLOUR},
	{"colour", required_argument, NULL, OPTION_COLOUR},
	{"suppressions", required_argument, NULL, OPTION_SUPPRESSIONS},
	{"gen-suppressions", no_argument, NULL, OPTION_GENERATE},
	{"baseline", required_argument, NULL, OPTION_BASELINE},
	{"exit-code", no_argument, NULL, OPTION_EXIT_CODE},
	{"full-stacks", no_argument, NULL, OPTION_FULL_STACKS},
	{"stats", no_argument, NULL, OPTION_STATS},
	{"open", no_argument, NULL, OPTION_OPEN},
	{"no-summary", no_argument, NULL, OPTION_NO_SUMMARY},
	{"sysroot", required_argument, NULL, OPTION_SYSROOT},
	{"debug-dir", required_argument, NULL, OPTION_DEBUG_DIR},
	{"source-root", required_argument, NULL, OPTION_ROOT},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* Those that choose what the report is. */
static bool take_kind(struct ftsan_report_request *request, int choice)
{
	switch (choice) {
	case OPTION_FORMAT:
		set_format(request, optarg);
		return true;
	case OPTION_COLOUR:
		set_colour(request, optarg);
		return true;
	case OPTION_GENERATE:
		request->format = &ftsan_format_suppressions;
		return true;
	case OPTION_FULL_STACKS:
		request->full_stacks = true;
		return true;
	case OPTION_NO_SUMMARY:
		request->no_summary = true;
		return true;
	case OPTION_OPEN:
		request->open = true;
		return true;
	case OPTION_STATS:
		request->stats = true;
		return true;
	case OPTION_EXIT_CODE:
		request->exit_code = true;
		return true;
	case 'o':
		request->output = optarg;
		return true;
	case 'h':
		request->help = true;
		return true;
	default:
		return false;
	}
}

/* Those that name files. */
static bool take_file(struct ftsan_report_request *request, int choice)
{
	switch (choice) {
	case OPTION_SUPPRESSIONS:
		request->bad |= ftsan_suppressions_read(&request->suppressions, optarg,
							ftsan_today()) != 0;
		return true;
	case OPTION_BASELINE:
		add(&request->baselines, optarg);
		return true;
	case OPTION_SYSROOT:
		request->sysroot = optarg;
		return true;
	case OPTION_DEBUG_DIR:
		add(&request->debug_dirs, optarg);
		return true;
	case OPTION_ROOT:
		request->root = optarg;
		return true;
	default:
		return false;
	}
}

int ftsan_report_parse(struct ftsan_report_request *request, int argc, char **argv)
{
	int choice;

	memset(request, 0, sizeof(*request));
	request->format = &ftsan_format_text;
	request->colour = "auto";
	opterr = 0;
	optind = 0; /* glibc: begin anew, with options and logs in any order */
	while ((choice = getopt_long(argc, argv, ":o:h", known_options, NULL)) != -1) {
		if (take_kind(request, choice) || take_file(request, choice))
			continue;
		if (choice == ':')
			ftsan_error("report: %s needs a value; see ftsan report --help",
				    argv[optind - 1]);
		else
			ftsan_error("report: unknown option %s; see ftsan report --help",
				    argv[optind - 1]);
		return -EINVAL;
	}
	request->logs = argv + optind;
	return request->bad ? -EINVAL : 0;
}
