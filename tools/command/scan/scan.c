/* ftsan scan: an environment's extension modules, without running anything of it. */
#include "scan/scan.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"
#include "launch/launch.h"
#include "scan/scanned.h"

static const char help[] =
	"usage: ftsan scan [--format text|json] [--exit-code] PATH|PYTHON...\n"
	"\n"
	"Lists the extension modules in PATH, or those that are installed for PYTHON: "
	"their\n"
	"ABI, the Cython that built them, whether ftsan can watch them, and what is "
	"known to\n"
	"be wrong with these versions of Cython and NumPy on free-threaded builds.\n"
	"\n"
	"Nothing is imported or loaded. PYTHON itself is run with -I -S, to learn where "
	"its\n"
	"packages are.\n"
	"\n"
	"  --exit-code    exit with 66 when there are hazards that a newer version has\n"
	"                 fixed\n"
	"\n"
	"Exit status: 0; 125 when PATH can't be read.\n";

enum { PYTHON_SECONDS = 30 };

/* -S: no site-packages and no .pth file, so this is the standard library's code only. */
static const char where[] =
	"import json, os, sys\n"
	"name = 'python%d.%d%s' % (*sys.version_info[:2], 't' * ('t' in sys.abiflags))\n"
	"home = os.path.dirname(os.path.dirname(sys.executable))\n"
	"bases, shared = [], True\n"
	"try:\n"
	"    with open(os.path.join(home, 'pyvenv.cfg')) as file:\n"
	"        settings = [line.lower().split('=', 1) for line in file if '=' in "
	"line]\n"
	"    bases.append(home)\n"
	"    shared = ['include-system-site-packages', 'true'] in [\n"
	"        [word.strip() for word in setting] for setting in settings]\n"
	"except OSError: pass\n"
	"if shared: bases += [sys.base_prefix, sys.base_exec_prefix]\n"
	"found = [os.path.join(base, lib, place) for base in bases\n"
	"         for lib in ('lib', 'lib64', 'local/lib')\n"
	"         for place in (name + '/site-packages', name + '/dist-packages',\n"
	"                       'python3/dist-packages')]\n"
	"print(json.dumps(list(dict.fromkeys(\n"
	"    os.path.realpath(path) for path in found if os.path.isdir(path)))))\n";

static int fail(const char *path, const char *reason)
{
	ftsan_error("%s: %s", path, reason);
	return FTSAN_EXIT_FAILED;
}

static int scan_paths(struct ftsan_scan *scan, const char *python, const json_t *paths)
{
	const json_t *path;
	size_t i;

	json_array_foreach(paths, i, path)
	{
		int error = json_is_string(path)
				    ? ftsan_scan_tree(scan, json_string_value(path))
				    : -EINVAL;

		if (error != 0)
			return fail(python, strerror(-error));
	}
	return 0;
}

/* Where the packages of an interpreter are: only it knows. */
static int scan_python(struct ftsan_scan *scan, const char *python)
{
	char *argv[] = {(char *)python, (char *)"-I",  (char *)"-S",
			(char *)"-c",	(char *)where, NULL};
	struct ftsan_capture capture;
	json_t *paths;
	int status;

	status = ftsan_capture_run(&capture, argv, NULL, PYTHON_SECONDS);
	if (status != 0)
		return fail(python, strerror(-status));
	paths = json_loads(capture.out, 0, NULL);
	if (!json_is_array(paths))
		status = fail(python, "neither a directory, nor a shared object, nor a "
				      "Python");
	else
		status = scan_paths(scan, python, paths);
	json_decref(paths);
	ftsan_capture_release(&capture);
	return status;
}

/* A program; or a name that is looked up in PATH, as a shell would. */
static bool is_program(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return strchr(path, '/') == NULL && errno == ENOENT;
	return S_ISREG(status.st_mode) && access(path, X_OK) == 0 &&
	       strstr(path, ".so") == NULL;
}

static int scan_argument(struct ftsan_scan *scan, const char *path)
{
	size_t before;
	int error;

	if (is_program(path))
		return scan_python(scan, path);
	before = scan->n_modules + scan->others;
	error = ftsan_scan_tree(scan, path);
	if (error == 0 && before == scan->n_modules + scan->others &&
	    ftsan_is_regular(path))
		return fail(path, "neither an extension module nor another shared object "
				  "for " FTSAN_CPU_NAME);
	return error != 0 ? fail(path, strerror(-error)) : 0;
}

static int print(const struct ftsan_simple_request *request,
		 const struct ftsan_scan *scan)
{
	json_t *json;

	if (request->json) {
		json = ftsan_scan_json(scan);
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
	} else {
		ftsan_scan_print(stdout, scan);
	}
	return ftsan_flush_stdout();
}

int ftsan_command_scan(int argc, char **argv)
{
	struct ftsan_simple_request request;
	struct ftsan_scan scan = {.n_modules = 0};
	size_t mended;
	int status = 0;

	if (ftsan_simple_parse(&request, "scan", "exit-code", argc, argv) != 0)
		return FTSAN_EXIT_FAILED;
	if (request.help) {
		fputs(help, stdout);
		return 0;
	}
	if (request.arguments[0] == NULL) {
		ftsan_error("scan: no path to look at; see ftsan scan --help");
		return FTSAN_EXIT_FAILED;
	}
	for (char **path = request.arguments; *path != NULL && status == 0; path++)
		status = scan_argument(&scan, *path);
	if (status == 0)
		status = print(&request, &scan);
	(void)ftsan_scan_hazards(&scan, &mended);
	if (status == 0 && request.flag && mended > 0)
		status = FTSAN_EXIT_FINDINGS;
	ftsan_scan_release(&scan);
	return status;
}
