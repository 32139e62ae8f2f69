#include "init.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/annot.h"
#include "base/fmt.h"
#include "base/sys.h"
#include "hook_dl.h"
#include "hook_process.h"
#include "hook_thread.h"
#include "providers.h"
#include "python_gil.h"
#include "real.h"
#include "runtime.h"
#include "signal_owner.h"

enum { HELP_BYTES = 32 * 1024, ERRORS_BYTES = 4096, STDERR = 2, STDOUT = 1 };
/* Ids are short; what is longer would not leave room in its record. */
enum { RUN_ID_MAX = 64 };

/* Resolved by the loader with libftsan.so itself; NULL in a process without CPython. */
extern const char _PyRuntime[] __attribute__((weak));

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

_Atomic bool ftsan_preload_is_active;

/* Set once, by the constructor or the first dlopen that brings CPython. */
static atomic_flag decided = ATOMIC_FLAG_INIT;
static struct ftsan_options options;
static struct ftsan_host host;
static int root_pid;

bool ftsan_preload_own(void)
{
	return ftsan_preload_active() && ftsan_runtime_own_process();
}

const struct ftsan_options *ftsan_preload_options(void)
{
	return &options;
}

bool ftsan_preload_root(void)
{
	return root_pid == ftsan_sys_getpid();
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
	struct ftsan_buf errors;

	ftsan_buf_init(&errors, storage, sizeof(storage));
	ftsan_options_init(&options);
	if (ftsan_options_parse(&options, getenv("FTSAN_OPTIONS"), &errors) > 0)
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
		root_pid = ftsan_sys_getpid();
	} else {
		root_pid = (int)strtol(text, NULL, 10);
	}
	return ftsan_preload_root();
}

static void describe_python(void *library, const void *py_runtime)
{
	const unsigned long *version = ftsan_real_lookup(library, "Py_Version");

	host.py_runtime = py_runtime;
	host.py_version = version ? (uint32_t)*version : 0;
	host.py_code_type = (uintptr_t)ftsan_real_lookup(library, "PyCode_Type");
	host.py_type_type = (uintptr_t)ftsan_real_lookup(library, "PyType_Type");
	host.py_unicode_type = (uintptr_t)ftsan_real_lookup(library, "PyUnicode_Type");
	host.py_eval = (uintptr_t)ftsan_real_lookup(library, "_PyEval_EvalFrameDefault");
	*(void **)&host.tstate_get =
		ftsan_real_lookup(library, "PyThreadState_GetUnchecked");
	if (!host.tstate_get)
		*(void **)&host.tstate_get =
			ftsan_real_lookup(library, "_PyThreadState_UncheckedGet");
	*(void **)&host.tstate_gilstate =
		ftsan_real_lookup(library, "PyGILState_GetThisThreadState");
}

static void describe_process(void)
{
	const char *run_id = getenv("FTSAN_RUN_ID");

	host.iterate = dl_iterate_phdr;
	/* The program may change its environment; the detector keeps the pointer. */
	host.run_id = run_id ? strndup(run_id, RUN_ID_MAX) : NULL;
	if (!host.run_id)
		host.run_id = "";
	host.root = become_root();
	host.hook_names = ftsan_hook_names;
	host.hook_counts = ftsan_hook_counts;
	host.n_hooks = FTSAN_N_HOOKS;
}

/*
 * The detector traps a canary of its own while it starts, so the handlers come first;
 * the imports are redirected last, when everything that they lead to is ready.
 */
static bool start(const void *py_runtime)
{
	if (ftsan_thread_start() != 0)
		return false;
	if (ftsan_signal_take() != 0)
		goto no_signals;
	host.own_begin = (uintptr_t)__ehdr_start;
	host.own_end = (uintptr_t)_end;
	/* The warm-up of the unwinder captures a stack before the detector starts. */
	ftsan_stack_set_own_range(host.own_begin, host.own_end);
	host.gil_kept_off = !options.keep_gil && ftsan_python_gil_keep_off(py_runtime);
	ftsan_providers_open(&host);
	if (ftsan_runtime_start(&host, &options) != 0)
		goto no_runtime;
	ftsan_process_start();
	atomic_store_explicit(&ftsan_preload_is_active, true, memory_order_release);
	ftsan_dl_start();
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

	if (!py_runtime || getauxval(AT_SECURE) || atomic_flag_test_and_set(&decided))
		return;
	read_options();
	if (options.help)
		print_help();
	if (!options.enabled)
		return;
	library = ftsan_real_resolve_python(py_runtime);
	if (!library)
		return;
	describe_python(library, py_runtime);
	describe_process();
	start(py_runtime);
}

void ftsan_preload_try_activate(void *handle)
{
	void *runtime = ftsan_real_lookup(RTLD_DEFAULT, "_PyRuntime");

	activate(runtime ? runtime : ftsan_real_lookup(handle, "_PyRuntime"));
}

__attribute__((constructor)) static void on_load(void)
{
	int error = errno;

	ftsan_real_resolve_libc();
	activate(_PyRuntime);
	errno = error;
}
