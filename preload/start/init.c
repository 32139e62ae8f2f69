#include "start/start.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/base.h"
#include "crash/dying.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "process/process.h"
#include "python/python.h"
#include "start/listeners.h"
#include "start/wrappers.h"

enum { HELP_BYTES = 32 * 1024, ERRORS_BYTES = 4096, STDERR = 2, STDOUT = 1 };
/* Ids are short; what is longer would not leave room in its record. */
enum { RUN_ID_MAX = 64 };

/* Resolved by the loader with libftsan.so itself; NULL in a process without CPython. */
extern const char _PyRuntime[] __attribute__((weak));

/* Set once, by the constructor, the first dlopen that brings CPython, or an attach. */
static atomic_flag decided = ATOMIC_FLAG_INIT;

bool ftsan_start_decide(void)
{
	return atomic_flag_test_and_set(&decided);
}

static void write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = ftsan_sys_write(fd, text, length);

		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

/* Each line of the parser's gets its sender, and the last word is where to look. */
static void complain(const char *errors, size_t length)
{
	char storage[ERRORS_BYTES * 2];
	struct ftsan_buf out;

	ftsan_buf_init(&out, storage, sizeof(storage));
	for (const char *end = errors + length; errors < end;) {
		const char *newline = memchr(errors, '\n', (size_t)(end - errors));
		const char *stop = newline ? newline : end;

		ftsan_buf_str(&out, "ftsan: FTSAN_OPTIONS: ");
		ftsan_buf_bytes(&out, errors, (size_t)(stop - errors));
		ftsan_buf_char(&out, '\n');
		errors = stop + 1;
	}
	ftsan_buf_str(&out, "ftsan: FTSAN_OPTIONS=help=1 lists every option\n");
	write_all(STDERR, out.text, out.length);
}

static void read_options(void)
{
	char storage[ERRORS_BYTES];
	struct ftsan_options *options = ftsan_preload_set_options();
	struct ftsan_buf errors;

	ftsan_buf_init(&errors, storage, sizeof(storage));
	ftsan_options_init(options);
	if (ftsan_options_parse(options, getenv("FTSAN_OPTIONS"), &errors) > 0)
		complain(errors.text, errors.length);
}

static void print_help(void)
{
	static char storage[HELP_BYTES];
	struct ftsan_buf out;

	ftsan_buf_init(&out, storage, sizeof(storage));
	ftsan_options_help(&out);
	write_all(STDOUT, out.text, out.length);
	FTSAN_REAL(_exit)(0);
}

/* Children find out by the variable that they are not the first. */
static bool become_root(void)
{
	const char *text = getenv("FTSAN_ROOT_PID");
	char storage[24];
	struct ftsan_buf buf;

	if (!text) {
		ftsan_buf_init(&buf, storage, sizeof(storage));
		ftsan_buf_i64(&buf, ftsan_sys_getpid());
		setenv("FTSAN_ROOT_PID", ftsan_buf_cstr(&buf), 1);
		ftsan_preload_set_root(ftsan_sys_getpid());
	} else {
		ftsan_preload_set_root((int)strtol(text, NULL, 10));
	}
	return ftsan_preload_root();
}

/*
 * Where sweeps are kept: $XDG_CACHE_HOME/ftsan/sites, or $HOME/.cache/ftsan/sites. Known
 * before the first thread, and never freed: the detector keeps the pointer.
 */
static const char *cache_directory(void)
{
	static char path[PATH_MAX];
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	struct ftsan_buf text;

	if ((!cache || cache[0] != '/') && (!home || home[0] != '/'))
		return "";
	ftsan_buf_init(&text, path, sizeof(path));
	ftsan_buf_str(&text, cache && cache[0] == '/' ? cache : home);
	ftsan_buf_str(&text, cache && cache[0] == '/' ? "/ftsan/sites"
						      : "/.cache/ftsan/sites");
	(void)ftsan_buf_cstr(&text);
	return text.truncated ? "" : path;
}

static void describe_process(void)
{
	struct ftsan_host *host = ftsan_start_host();
	const char *run_id = getenv("FTSAN_RUN_ID");

	/* The program may change its environment; the detector keeps the pointer. */
	host->run_id = run_id ? strndup(run_id, RUN_ID_MAX) : NULL;
	if (!host->run_id)
		host->run_id = "";
	host->cache = cache_directory();
	host->root = become_root();
	/* What children are to have: after the root's own variable is there. */
	ftsan_follow_start(ftsan_preload_options()->follow);
	ftsan_start_describe_self();
}

/*
 * The detector traps a canary of its own while it starts, so the handlers come first;
 * the imports are redirected last, when everything that they lead to is ready.
 */
static bool start(const void *py_runtime)
{
	const struct ftsan_options *options = ftsan_preload_options();
	struct ftsan_host *host = ftsan_start_host();

	if (ftsan_thread_start() != 0)
		return false;
	if (ftsan_signal_take() != 0)
		goto no_signals;
	/* The warm-up of the unwinder captures a stack before the detector starts. */
	ftsan_stack_set_own_range(host->own_begin, host->own_end);
	host->gil_kept_off = !options->keep_gil && ftsan_python_gil_keep_off(py_runtime);
	ftsan_providers_open(host);
	if (ftsan_runtime_start(host, options) != 0)
		goto no_runtime;
	ftsan_thread_begin_first();
	ftsan_dying_start();
	ftsan_process_start();
	ftsan_preload_become_active(false);
	ftsan_freed_hooks_start();
	ftsan_dl_start();
	ftsan_module_life_start(py_runtime);
	ftsan_runtime_modules_changed();
	return true;

no_runtime:
	ftsan_signal_give_back();
no_signals:
	ftsan_thread_stop();
	return false;
}

static void activate(const void *py_runtime)
{
	void *library;

	if (!py_runtime || getauxval(AT_SECURE) || ftsan_start_decide())
		return;
	if (!ftsan_is_glibc()) {
		static const char text[] = "ftsan: NOTHING WATCHED (this interpreter's C "
					   "library is not glibc)\n";

		write_all(STDERR, text, sizeof(text) - 1);
		return;
	}
	read_options();
	if (ftsan_preload_options()->help)
		print_help();
	if (!ftsan_preload_options()->enabled)
		return;
	library = ftsan_real_resolve_python(py_runtime);
	if (!library)
		return;
	ftsan_start_describe_python(library, py_runtime);
	describe_process();
	start(py_runtime);
}

/* Of dlopen(): errno is the caller's to keep. */
static void activate_for(void *handle)
{
	void *runtime = ftsan_real_lookup(RTLD_DEFAULT, "_PyRuntime");

	activate(runtime ? runtime : ftsan_real_lookup(handle, "_PyRuntime"));
}

/* Loaded into a process whose CPython runs: whoever did it will say what is wanted. */
static bool is_attaching(void)
{
	int (*initialized)(void);

	*(void **)&initialized = ftsan_real_lookup(RTLD_DEFAULT, "Py_IsInitialized");
	return initialized && initialized();
}

__attribute__((constructor)) static void on_load(void)
{
	static struct ftsan_dl_host loader = {.opened = activate_for};
	int error = errno;

	ftsan_real_resolve_libc();
	loader.wrappers = ftsan_start_wrappers();
	loader.listeners = ftsan_start_listeners();
	ftsan_dl_init(&loader);
	if (!is_attaching())
		activate(_PyRuntime);
	errno = error;
}
