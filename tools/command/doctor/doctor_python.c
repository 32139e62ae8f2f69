/* The part of `ftsan doctor` that runs an interpreter under libftsan.so. */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/common.h"
#include "doctor/checks.h"
#include "launch/launch.h"
#include "log/log.h"
#include "scan/scan.h"

enum { PROBE_SECONDS = 60 };

/*
 * What the interpreter says of itself; then an array that lives long enough to be looked
 * at. The current directory is not where its modules come from.
 */
static const char probe[] =
	"import sys\n"
	"if sys.path and not sys.path[0]: del sys.path[0]\n"
	"import json, sysconfig, importlib.metadata\n"
	"def version(name):\n"
	"    try: return importlib.metadata.version(name)\n"
	"    except Exception: return None\n"
	"print(json.dumps({'executable': sys.executable,\n"
	"    'implementation': sys.implementation.name,\n"
	"    'version': sys.version.split()[0],\n"
	"    'free_threaded': bool(sysconfig.get_config_var('Py_GIL_DISABLED')),\n"
	"    'numpy': version('numpy'), 'cython': version('cython')}), flush=True)\n"
	"try: import numpy\n"
	"except Exception: pass\n"
	"else: kept = numpy.arange(10)\n";

/**
 * struct answers - what came of the run; all owned
 * @self:     the line of the probe; NULL when there is none
 * @process:  first record of the log; NULL when libftsan.so wrote none
 * @engines:  list of records
 * @coverage: the last record, or NULL
 */
struct answers {
	json_t *self;
	json_t *process;
	json_t *engines;
	json_t *coverage;
	struct ftsan_capture capture;
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "?";
}

static bool is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static void take_record(struct answers *answers, const char *line, size_t length)
{
	json_t *record = json_loadb(line, length, 0, NULL);
	const char *type = text_of(record, "type");

	if (strcmp(type, "process") == 0 && answers->process == NULL) {
		answers->process = json_incref(record);
	} else if (strcmp(type, "engine") == 0) {
		json_array_append(answers->engines, record);
	} else if (strcmp(type, "coverage") == 0) {
		json_decref(answers->coverage);
		answers->coverage = json_incref(record);
	}
	json_decref(record);
}

static void read_log(struct answers *answers, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t capacity = 0;
	char *line = NULL;
	ssize_t length;

	if (file == NULL)
		return;
	while ((length = getline(&line, &capacity, file)) > 0)
		take_record(answers, line, (size_t)length);
	free(line);
	fclose(file);
}

/* Return: 0; -errno when the interpreter can't be started. */
static int run_probe(struct answers *answers, const char *python,
		     const struct ftsan_log_file *log)
{
	char *argv[] = {(char *)python, (char *)"-c", (char *)probe, NULL};
	struct ftsan_environment environment;
	int error;

	if (ftsan_environment_make(&environment, "enabled=1:canary=1", log->path, false,
				   "") != 0)
		return -ENOENT;
	error = ftsan_capture_run(&answers->capture, argv, &environment, PROBE_SECONDS);
	ftsan_environment_release(&environment);
	if (error != 0)
		return error;
	answers->engines = json_array();
	answers->self = json_loads(answers->capture.out, JSON_DISABLE_EOF_CHECK, NULL);
	read_log(answers, log->path);
	return 0;
}

static void release(struct answers *answers)
{
	json_decref(answers->self);
	json_decref(answers->process);
	json_decref(answers->engines);
	json_decref(answers->coverage);
	ftsan_capture_release(&answers->capture);
}

/* The last line of what it printed says most. */
static char *how_it_failed(const struct answers *answers, const char *python)
{
	enum { LINE_MAX_SHOWN = 300 };
	char *text = answers->capture.err;
	size_t length = strlen(text);
	const char *line;

	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	line = strrchr(text, '\n') != NULL ? strrchr(text, '\n') + 1 : text;
	if (answers->capture.timed_out)
		return ftsan_xprintf("%s: no answer in %d s", python, PROBE_SECONDS);
	if (answers->capture.status == 0)
		return ftsan_xprintf("%s does not answer as a Python does", python);
	/* ls and its like repeat the whole program that it was given. */
	if (strlen(line) > LINE_MAX_SHOWN)
		return ftsan_xprintf("%s is not a Python: exit status %d", python,
				     answers->capture.status);
	return ftsan_xprintf("%s: exit status %d: %s", python, answers->capture.status,
			     line);
}

static bool check_start(struct ftsan_checks *checks, const struct answers *answers,
			const char *python)
{
	if (answers->self == NULL) {
		ftsan_checks_add(
			checks, "python", FTSAN_HEALTH_UNUSABLE,
			how_it_failed(answers, python),
			"does it run without ftsan? If it does, please report this");
		return false;
	}
	if (answers->process == NULL) {
		ftsan_checks_add(
			checks, "python", FTSAN_HEALTH_UNUSABLE,
			ftsan_xprintf("%s runs, but without libftsan.so", python),
			"LD_PRELOAD does not work for static and set-uid programs, nor "
			"for "
			"a libc other than glibc; is it a script that starts another?");
		return false;
	}
	return true;
}

static void check_kind(struct ftsan_checks *checks, const struct answers *answers)
{
	bool free_threaded = is_true(answers->self, "free_threaded");

	ftsan_checks_add(
		checks, "python", free_threaded ? FTSAN_HEALTH_OK : FTSAN_HEALTH_DEGRADED,
		ftsan_xprintf("%s: %s %s, %s", text_of(answers->self, "executable"),
			      text_of(answers->self, "implementation"),
			      text_of(answers->self, "version"),
			      free_threaded ? "free-threaded" : "with the GIL"),
		free_threaded ? NULL
			      : "threads take turns: use a free-threaded build "
				"(python3.14t), or mode=latent, which needs one thread");
	if (is_true(answers->process, "python_frames"))
		ftsan_checks_add(checks, "frames", FTSAN_HEALTH_OK,
				 ftsan_xstrdup("its frames are known: reports have "
					       "Python's lines"),
				 NULL);
	else
		ftsan_checks_add(
			checks, "layouts", FTSAN_HEALTH_UNUSABLE,
			ftsan_xprintf("Python %s: %s", text_of(answers->self, "version"),
				      text_of(answers->process, "python_refused")),
			"nothing is watched in it; use a release, or a release "
			"candidate, of CPython 3.11 to 3.15");
}

/* Without the guard there is nothing; the others only add to it. */
static void check_engine(struct ftsan_checks *checks, const json_t *engine)
{
	bool guard = strcmp(text_of(engine, "name"), "guard") == 0;
	enum ftsan_health broken = guard ? FTSAN_HEALTH_UNUSABLE : FTSAN_HEALTH_DEGRADED;
	char *name = ftsan_xprintf("engine %s", text_of(engine, "name"));

	if (!is_true(engine, "active"))
		ftsan_checks_add(
			checks, name, broken,
			ftsan_xprintf("not active: %s", text_of(engine, "reason")),
			guard ? "nothing is watched without it" : NULL);
	else if (json_is_false(json_object_get(engine, "canary")))
		ftsan_checks_add(checks, name, broken,
				 ftsan_xprintf("its canary was not caught (%s)",
					       text_of(engine, "detail")),
				 "stores are not caught here; please report this");
	else
		ftsan_checks_add(checks, name, FTSAN_HEALTH_OK,
				 ftsan_xprintf("active, its canary was caught (%s)",
					       text_of(engine, "detail")),
				 NULL);
	free(name);
}

static void check_engines(struct ftsan_checks *checks, const struct answers *answers)
{
	const json_t *engine;
	size_t i;

	json_array_foreach(answers->engines, i, engine)
	{
		check_engine(checks, engine);
	}
	if (json_array_size(answers->engines) == 0)
		ftsan_checks_add(checks, "engine guard", FTSAN_HEALTH_UNUSABLE,
				 ftsan_xstrdup("no engine has started"),
				 "please report this");
}

/* "numpy#1, numpy#2": those that a newer version has fixed; @fixed: that without any of
 * them, NULL when there is none. */
static char *name_hazards(const char *component, const char *version, const char **fixed)
{
	const struct ftsan_hazard *hazard = NULL;
	char *text = ftsan_xstrdup(""), *longer;

	*fixed = NULL;
	while ((hazard = ftsan_hazard_next(hazard, component, version)) != NULL) {
		if (hazard->fixed == NULL)
			continue;
		longer = ftsan_xprintf("%s%s%s", text, *fixed != NULL ? ", " : "",
				       hazard->issue);
		free(text);
		text = longer;
		if (*fixed == NULL || ftsan_version_compare(hazard->fixed, *fixed) > 0)
			*fixed = hazard->fixed;
	}
	return text;
}

static void add_version(struct ftsan_checks *checks, const char *name,
			const char *component, const char *version, const char *more)
{
	const char *fixed;
	char *known = name_hazards(component, version, &fixed);

	if (fixed == NULL)
		ftsan_checks_add(checks, name, FTSAN_HEALTH_OK,
				 ftsan_xprintf("%s%s", version, more), NULL);
	else
		ftsan_checks_add(checks, name, FTSAN_HEALTH_NOTE,
				 ftsan_xprintf("%s%s; has %s, fixed in %s", version, more,
					       known, fixed),
				 strcmp(component, "numpy") == 0
					 ? "reports will show those before your own"
					 : "modules that this version builds have it");
	free(known);
}

static void check_numpy(struct ftsan_checks *checks, const struct answers *answers)
{
	const char *version = json_string_value(json_object_get(answers->self, "numpy"));
	json_int_t guarded =
		json_integer_value(json_object_get(answers->coverage, "buffers_guarded"));

	if (version == NULL) {
		ftsan_checks_add(checks, "numpy", FTSAN_HEALTH_NOTE,
				 ftsan_xstrdup("not installed"),
				 "only Cython's caches and code objects are watched");
		return;
	}
	if (ftsan_version_compare(version, FTSAN_NUMPY_OLDEST) < 0) {
		ftsan_checks_add(checks, "numpy", FTSAN_HEALTH_DEGRADED,
				 ftsan_xprintf("%s is not watched", version),
				 "use NumPy 2.1 or later");
		return;
	}
	if (guarded == 0 && is_true(answers->self, "free_threaded")) {
		ftsan_checks_add(
			checks, "numpy", FTSAN_HEALTH_DEGRADED,
			ftsan_xprintf("%s: no array was guarded", version),
			"does `import numpy` work? If it does, please report this");
		return;
	}
	add_version(checks, "numpy", "numpy", version,
		    guarded > 0 ? ", its arrays are guarded" : "");
}

static void check_cython(struct ftsan_checks *checks, const struct answers *answers)
{
	const char *version = json_string_value(json_object_get(answers->self, "cython"));

	/* Installed or not says nothing of who built the modules; `ftsan scan` does. */
	if (version != NULL)
		add_version(checks, "cython", "cython", version, "");
}

static char *default_python(void)
{
	const char *environment = getenv("VIRTUAL_ENV");
	char *path;

	if (environment == NULL || environment[0] == '\0')
		return ftsan_xstrdup("python3");
	path = ftsan_xprintf("%s/bin/python", environment);
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return ftsan_xstrdup("python3");
}

static void check_answers(struct ftsan_checks *checks, const struct answers *answers,
			  const char *python)
{
	if (!check_start(checks, answers, python))
		return;
	check_kind(checks, answers);
	check_engines(checks, answers);
	check_numpy(checks, answers);
	check_cython(checks, answers);
}

void ftsan_check_python(struct ftsan_checks *checks, const char *python)
{
	char *name = python != NULL ? ftsan_xstrdup(python) : default_python();
	struct answers answers = {.self = NULL};
	struct ftsan_log_file log;
	int error;

	if (ftsan_log_file_open(&log, NULL) != 0) {
		ftsan_checks_add(checks, "python", FTSAN_HEALTH_UNUSABLE,
				 ftsan_xstrdup("no place for a log"),
				 "TMPDIR names a directory that can be written to");
		free(name);
		return;
	}
	error = run_probe(&answers, name, &log);
	if (error != 0)
		ftsan_checks_add(checks, "python", FTSAN_HEALTH_UNUSABLE,
				 ftsan_xprintf("%s: %s", name, strerror(-error)),
				 "name an interpreter: ftsan doctor PYTHON");
	else
		check_answers(checks, &answers, name);
	release(&answers);
	ftsan_log_file_close(&log, false);
	free(name);
}
