/* ftsan doctor: what works here, and what to do about what doesn't. */
#include "doctor/doctor.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/checks.h"
#include "common/common.h"

static const char help[] =
	"usage: ftsan doctor [--format text|json] [PYTHON]\n"
	"\n"
	"Tries what ftsan needs on this machine, runs PYTHON under ftsan for a moment, "
	"and\n"
	"says what to do about what does not work. PYTHON is by default the python3 of "
	"the\n"
	"active virtual environment, or else the first one in PATH.\n"
	"\n"
	"Exit status: 0 when all is well, 1 when ftsan works but finds or tells less, 2\n"
	"when it can't be used, 125 when the command line is wrong.\n";

static const char *const health_words[] = {
	[FTSAN_HEALTH_OK] = "ok",
	[FTSAN_HEALTH_NOTE] = "note",
	[FTSAN_HEALTH_DEGRADED] = "degraded",
	[FTSAN_HEALTH_UNUSABLE] = "unusable",
};

static void print_text(const struct ftsan_checks *checks)
{
	for (size_t i = 0; i < checks->n; i++) {
		const struct ftsan_check *check = &checks->list[i];

		printf("%-9s %-13s ", health_words[check->health], check->name);
		ftsan_put_text(stdout, check->detail);
		putchar('\n');
		if (check->advice != NULL)
			printf("%-23s -> %s\n", "", check->advice);
	}
	printf("\nftsan: %s\n", health_words[ftsan_checks_health(checks)]);
}

static void print_json(const struct ftsan_checks *checks)
{
	json_t *list = json_array();
	json_t *whole;

	for (size_t i = 0; i < checks->n; i++) {
		const struct ftsan_check *check = &checks->list[i];
		json_t *item = json_pack("{s:s, s:s}", "name", check->name, "status",
					 health_words[check->health]);

		/* A path need not be UTF-8; then there is no detail. */
		json_object_set_new(item, "detail", json_string(check->detail));
		if (check->advice != NULL)
			json_object_set_new(item, "advice", json_string(check->advice));
		json_array_append_new(list, item);
	}
	whole = json_pack("{s:i, s:s, s:o}", "v", 1, "status",
			  health_words[ftsan_checks_health(checks)], "checks", list);
	json_dumpf(whole, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(whole);
}

/* struct request - the command line; @python is borrowed, NULL for the default */
struct request {
	bool json;
	bool help;
	const char *python;
};

static int parse_arguments(struct request *request, int argc, char **argv)
{
	static const struct option known[] = {
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int choice;

	opterr = 0;
	optind = 1;
	while ((choice = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (choice == 'h') {
			request->help = true;
			return 0;
		}
		if (choice != 'f') {
			ftsan_error("doctor: %s; see ftsan doctor --help",
				    choice == ':' ? "--format needs a value"
						  : "unknown option");
			return -1;
		}
		request->json = strcmp(optarg, "json") == 0;
		if (!request->json && strcmp(optarg, "text") != 0) {
			ftsan_error("doctor: --format is text or json, not %s", optarg);
			return -1;
		}
	}
	if (argc - optind > 1) {
		ftsan_error("doctor: one interpreter at a time");
		return -1;
	}
	request->python = argv[optind];
	return 0;
}

static int diagnose(const struct request *request)
{
	struct ftsan_checks checks = {.n = 0};
	int status;

	ftsan_check_system(&checks);
	ftsan_check_python(&checks, request->python);
	if (request->json)
		print_json(&checks);
	else
		print_text(&checks);
	switch (ftsan_checks_health(&checks)) {
	case FTSAN_HEALTH_OK:
		status = 0;
		break;
	case FTSAN_HEALTH_DEGRADED:
		status = 1;
		break;
	default:
		status = 2;
	}
	ftsan_checks_release(&checks);
	return ftsan_flush_stdout() == 0 ? status : FTSAN_EXIT_FAILED;
}

int ftsan_command_doctor(int argc, char **argv)
{
	struct request request = {.json = false};

	if (parse_arguments(&request, argc, argv) != 0)
		return FTSAN_EXIT_FAILED;
	if (request.help) {
		fputs(help, stdout);
		return 0;
	}
	return diagnose(&request);
}
