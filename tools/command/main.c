/* ftsan: the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "attach/attach.h"
#include "audit/audit.h"
#include "base/base.h"
#include "common/common.h"
#include "doctor/doctor.h"
#include "launch/launch.h"
#include "report/report.h"
#include "run/run.h"
#include "scan/scan.h"

static int print_options(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0) {
		ftsan_error("options: takes no arguments");
		return FTSAN_EXIT_FAILED;
	}
	return ftsan_print_options();
}

static int print_version(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0) {
		ftsan_error("%s: takes no arguments", argv[0]);
		return FTSAN_EXIT_FAILED;
	}
	puts("ftsan " FTSAN_VERSION);
	return ftsan_flush_stdout();
}

static const struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", "run a command with ftsan", ftsan_command_run},
	{"attach", "watch a Python program that runs already", ftsan_command_attach},
	{"detach", "leave a program that was attached to", ftsan_command_detach},
	{"audit", "list the statics that extension modules write, and under which locks",
	 ftsan_command_audit},
	{"report", "print the findings of a log", ftsan_command_report},
	{"doctor", "say what works on this machine and what to do about the rest",
	 ftsan_command_doctor},
	{"scan", "list the extension modules of an environment and what is known of them",
	 ftsan_command_scan},
	{"options", "print the options of FTSAN_OPTIONS and --options", print_options},
	{"version", "print the version", print_version},
};

/* Letters to put in, take out or exchange to make @one of @other; names are short. */
static size_t distance(const char *one, const char *other)
{
	enum { LONGEST = 16 };
	size_t rows[2][LONGEST + 1], n = strlen(other);

	if (n > LONGEST || strlen(one) > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= n; j++)
		rows[0][j] = j;
	for (size_t i = 1; one[i - 1] != '\0'; i++) {
		size_t *row = rows[i & 1], *above = rows[(i - 1) & 1];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = above[j - 1] + (one[i - 1] != other[j - 1]);
			size_t more = (row[j - 1] < above[j] ? row[j - 1] : above[j]) + 1;

			row[j] = change < more ? change : more;
		}
	}
	return rows[strlen(one) & 1][n];
}

/* The command that was meant, most likely; NULL: none is near. */
static const char *nearest(const char *name)
{
	enum { NEAR = 2 };
	const char *best = NULL;
	size_t least = NEAR + 1;

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(commands); i++) {
		size_t far = distance(name, commands[i].name);

		if (far < least && far < strlen(commands[i].name) - 1) {
			least = far;
			best = commands[i].name;
		}
	}
	return best;
}

static void complain(const char *name)
{
	const char *meant = nearest(name);

	if (name[0] == '\0')
		ftsan_error(
			"what to do? `ftsan run CMD` runs a command; see ftsan --help");
	else if (meant != NULL)
		ftsan_error("unknown command %s; did you mean `ftsan %s`? To run it, "
			    "write `ftsan run -- %s`",
			    name, meant, name);
	else
		ftsan_error("unknown command %s; to run it, write `ftsan run -- %s`; "
			    "see ftsan --help",
			    name, name);
}

static void print_help(FILE *out)
{
	fputs("usage: ftsan COMMAND ...\n"
	      "\n"
	      "Finds data races, unlocked statics and the causes of crashes in native\n"
	      "extension modules on free-threaded CPython, without rebuilding anything.\n"
	      "\n",
	      out);
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(commands); i++)
		fprintf(out, "  ftsan %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\nftsan COMMAND --help tells more.\n", out);
}

/*
 * A file that is opened while one of the three is closed gets its number, and the log
 * would be written to as stderr. What is put there instead fails as a closed one does,
 * and is gone when a command is executed.
 */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null",
				    (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	fill_standard_descriptors();
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_help(stdout);
		return ftsan_flush_stdout();
	}
	if (!strcmp(name, "--version"))
		return print_version(1, argv);
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	complain(name);
	return FTSAN_EXIT_FAILED;
}
