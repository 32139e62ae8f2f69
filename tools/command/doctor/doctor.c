/* ftsan doctor: what works here, and what to do about what doesn't. */
#include "doctor/doctor.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "doctor/checks.h"

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

static int diagnose(const struct ftsan_simple_request *request)
{
	struct ftsan_checks checks = {.n = 0};
	int status;

	ftsan_check_system(&checks);
	ftsan_check_python(&checks, request->arguments[0]);
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
	struct ftsan_simple_request request;

	if (ftsan_simple_parse(&request, "doctor", NULL, argc, argv) != 0)
		return FTSAN_EXIT_FAILED;
	if (request.help) {
		fputs(help, stdout);
		return 0;
	}
	if (request.arguments[0] != NULL && request.arguments[1] != NULL) {
		ftsan_error("doctor: one interpreter at a time");
		return FTSAN_EXIT_FAILED;
	}
	return diagnose(&request);
}
