#include "start/init.h"

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
#include "elf/hook_dl.h"
#include "process/hook_process.h"
#include "process/hook_thread.h"
#include "elf/providers.h"
#include "python/module_life.h"
#include "python/python_gil.h"
#include "elf/real.h"
#include "locks/locks.h"
#include "runtime/runtime.h"
#include "process/scout.h"
#include "process/signal_owner.h"
#include "statics/statics.h"
#include "attach/visit.h"

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
static void *python_library;

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

	python_library = library;
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
	ftsan_thread_begin_first();
	ftsan_process_start();
	atomic_store_explicit(&ftsan_preload_is_active, true, memory_order_release);
	if (ftsan_statics_on())
		ftsan_locks_start(python_library, py_runtime);
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

/* --- in a process that runs already ------------------------------------------------- */

enum { VISIT_NS = 2000000000, OPEN_NS = 2000000000, PAUSE_NS = 500000 };

#define BUSY_LOADER "a library is being loaded, and does not come to an end"

static bool attached;

bool ftsan_preload_attached(void)
{
	return attached && ftsan_preload_active();
}

static int fail(struct ftsan_buf *why, int error, const char *text)
{
	ftsan_buf_str(why, text);
	return error;
}

static int describe_late(const char *run_id, const char *gil, struct ftsan_buf *why)
{
	const void *runtime = ftsan_real_lookup(RTLD_DEFAULT, "_PyRuntime");
	const char *asked = getenv("PYTHON_GIL");
	void *library = runtime ? ftsan_real_resolve_python(runtime) : NULL;

	if (!library)
		return fail(why, -ENOENT, "CPython's symbols are not to be found in it");
	describe_python(library, runtime);
	host.iterate = dl_iterate_phdr;
	/* The detector keeps the pointer; a former run's may be in use. */
	host.run_id = strdup(run_id);
	if (!host.run_id)
		return fail(why, -ENOMEM, "no memory");
	host.root = host.attached = true;
	root_pid = ftsan_sys_getpid();
	host.gil_seen = gil;
	host.gil_kept_off =
		gil && strcmp(gil, "off") == 0 && asked && strcmp(asked, "0") == 0;
	host.hook_names = ftsan_hook_names;
	host.hook_counts = ftsan_hook_counts;
	host.n_hooks = FTSAN_N_HOOKS;
	host.own_begin = (uintptr_t)__ehdr_start;
	host.own_end = (uintptr_t)_end;
	return 0;
}

static int options_late(const char *text, struct ftsan_buf *why)
{
	ftsan_options_init(&options);
	if (ftsan_options_parse(&options, text, why) > 0)
		return -EINVAL;
	/* Threads that were there before us have rights of their own to every key. */
	if (strcmp(options.store, "pkey") == 0)
		return fail(why, -EINVAL, "store=pkey is for programs that ftsan starts");
	return 0;
}

/* The engines, and the handlers that they need. */
static int start_engines(struct ftsan_buf *why)
{
	static bool opened;
	int error = ftsan_signal_take();

	if (error != 0)
		return fail(why, error, "the signal handlers can't be installed");
	ftsan_stack_set_own_range(host.own_begin, host.own_end);
	if (!opened)
		ftsan_providers_open(&host);
	error = ftsan_runtime_start(&host, &options);
	if (error != 0) {
		ftsan_signal_give_back();
		return fail(why, error,
			    "the log can't be written, or there is no memory");
	}
	if (!opened)
		ftsan_process_start();
	opened = true;
	return 0;
}

static int adopt_threads(struct ftsan_buf *why)
{
	struct ftsan_visited visited;

	ftsan_visit_threads(FTSAN_VISIT_ADOPT, VISIT_NS, &visited);
	if (visited.left == 0)
		return 0;
	ftsan_buf_str(why, "thread ");
	ftsan_buf_i64(why, visited.tid);
	return fail(why, -EBUSY, " does not answer (it is stopped, or blocks SIGTRAP)");
}

static int check_threads(unsigned *n, struct ftsan_buf *why)
{
	int blocking;

	/* Some library calls block every signal for a moment. */
	for (unsigned i = 0; i < 100; i++) {
		*n = ftsan_visit_count(&blocking);
		if (blocking == 0)
			return 0;
		ftsan_sys_sleep(10000000);
	}
	ftsan_buf_str(why, "thread ");
	ftsan_buf_i64(why, blocking);
	return fail(why, -EBUSY, " blocks SIGTRAP, which ftsan needs");
}

int ftsan_preload_attach(const char *text, const char *run_id, const char *gil,
			 struct ftsan_buf *why)
{
	unsigned n_threads;
	int error;

	if (ftsan_preload_active())
		return fail(why, -EALREADY,
			    attached ? "ftsan is attached to it already"
				     : "ftsan came with its start, and watches it");
	(void)atomic_flag_test_and_set(&decided);
	error = options_late(text, why);
	if (error == 0)
		error = check_threads(&n_threads, why);
	if (error == 0)
		error = describe_late(run_id, gil, why);
	if (error != 0)
		return error;
	ftsan_scout_forbid(true);
	if (ftsan_thread_start_late(n_threads) != 0)
		return fail(why, -ENOMEM, "no memory for a signal stack");
	error = start_engines(why);
	if (error != 0)
		return error;
	attached = true;
	atomic_store_explicit(&ftsan_preload_is_active, true, memory_order_release);
	if (ftsan_statics_on())
		ftsan_locks_start(python_library, host.py_runtime);
	error = ftsan_dl_start_late();
	if (error != 0)
		ftsan_buf_str(why, BUSY_LOADER);
	if (error == 0)
		error = adopt_threads(why);
	/* A lazy binding that was under way may have taken a slot back meanwhile. */
	if (error == 0 && (error = ftsan_dl_start_late()) != 0)
		ftsan_buf_str(why, BUSY_LOADER);
	if (error == 0)
		ftsan_module_life_start(host.py_runtime);
	ftsan_runtime_modules_changed();
	if (error != 0 && ftsan_preload_detach(why) != 0)
		ftsan_runtime_halt(true);
	return error;
}

void ftsan_preload_attach_done(void)
{
	ftsan_scout_forbid(false);
	if (ftsan_thread_count() > 2)
		ftsan_scout_start();
}

/* Pages open, until no store or free in progress keeps one; false: one still does. */
static bool open_pages(void)
{
	uint64_t end = ftsan_sys_now_ns() + OPEN_NS;
	bool open;

	while (!(open = ftsan_runtime_open()) && ftsan_sys_now_ns() < end)
		ftsan_sys_sleep(PAUSE_NS);
	return open;
}

static int go_on(struct ftsan_buf *why, const char *text)
{
	ftsan_runtime_halt(false);
	return fail(why, -EBUSY, text);
}

int ftsan_preload_detach(struct ftsan_buf *why)
{
	struct ftsan_visited visited;
	bool open;

	ftsan_runtime_halt(true);
	ftsan_scout_forbid(true);
	ftsan_scout_stop();
	if (!ftsan_dl_is_free())
		return go_on(why, BUSY_LOADER);
	(void)open_pages();
	ftsan_visit_threads(FTSAN_VISIT_RELEASE, 2 * (uint64_t)VISIT_NS, &visited);
	open = open_pages();
	/* A thread that was not heard of may fault, or trap: then the handlers stay, and
	 * everything else is gone all the same. */
	atomic_store_explicit(&ftsan_preload_is_active, false, memory_order_release);
	if (open && visited.left == 0 && !ftsan_visit_is_due())
		ftsan_signal_give_back();
	else
		ftsan_buf_str(why, open ? "the signal handlers stay: a thread does not "
					  "answer; "
					: "the signal handlers stay: a page is in use; ");
	ftsan_module_life_stop(host.py_runtime);
	(void)ftsan_runtime_stop();
	attached = false;
	if (ftsan_dl_stop(ftsan_runtime_live() > 0) != 0)
		ftsan_buf_str(why,
			      "the imports stay redirected, without effect: " BUSY_LOADER
			      "; ");
	return 0;
}

void ftsan_preload_try_activate(void *handle)
{
	void *runtime = ftsan_real_lookup(RTLD_DEFAULT, "_PyRuntime");

	activate(runtime ? runtime : ftsan_real_lookup(handle, "_PyRuntime"));
}

/* Loaded into a process whose CPython runs: whoever did it will say what is wanted. */
static bool is_late(void)
{
	int (*initialized)(void);

	*(void **)&initialized = ftsan_real_lookup(RTLD_DEFAULT, "Py_IsInitialized");
	return initialized && initialized();
}

__attribute__((constructor)) static void on_load(void)
{
	int error = errno;

	ftsan_real_resolve_libc();
	if (!is_late())
		activate(_PyRuntime);
	errno = error;
}
