#include "attach/attach_start.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/visit.h"
#include "base/base.h"
#include "crash/dying.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "process/process.h"
#include "python/python.h"
#include "start/start.h"

enum { VISIT_NS = 2000000000, OPEN_NS = 2000000000, PAUSE_NS = 500000 };

#define BUSY_LOADER "a library is being loaded, and does not come to an end"

static int fail(struct ftsan_buf *why, int error, const char *text)
{
	ftsan_buf_str(why, text);
	return error;
}

static int describe_attached(const char *run_id, const char *gil, struct ftsan_buf *why)
{
	struct ftsan_host *host = ftsan_start_host();
	const void *runtime = ftsan_real_lookup(RTLD_DEFAULT, "_PyRuntime");
	const char *asked = getenv("PYTHON_GIL");
	void *library = runtime ? ftsan_real_resolve_python(runtime) : NULL;

	if (!library)
		return fail(why, -ENOENT, "CPython's symbols are not to be found in it");
	ftsan_start_describe_python(library, runtime);
	ftsan_start_describe_self();
	/* The detector keeps the pointer; a former run's may be in use. */
	host->run_id = strdup(run_id);
	if (!host->run_id)
		return fail(why, -ENOMEM, "no memory");
	/* Its environment is not ours to go by: nothing is kept. */
	host->cache = "";
	host->root = host->attached = true;
	ftsan_preload_set_root(ftsan_sys_getpid());
	host->gil_seen = gil;
	host->gil_kept_off =
		gil && strcmp(gil, "off") == 0 && asked && strcmp(asked, "0") == 0;
	return 0;
}

static int options_attached(const char *text, struct ftsan_buf *why)
{
	struct ftsan_options *options = ftsan_preload_set_options();

	ftsan_options_init(options);
	if (ftsan_options_parse(options, text, why) > 0)
		return -EINVAL;
	/* Threads that were there before us have rights of their own to every key. */
	if (strcmp(options->store, "pkey") == 0)
		return fail(why, -EINVAL, "store=pkey is for programs that ftsan starts");
	return 0;
}

/* The engines, and the handlers that they need. */
static int start_engines(struct ftsan_buf *why)
{
	static bool opened;
	struct ftsan_host *host = ftsan_start_host();
	int error;

	ftsan_signal_tell_sent(ftsan_visit_signal);
	error = ftsan_signal_take();
	if (error != 0)
		return fail(why, error, "the signal handlers can't be installed");
	ftsan_safe_read_by_calls(false);
	ftsan_stack_set_own_range(host->own_begin, host->own_end);
	if (!opened)
		ftsan_providers_open(host);
	error = ftsan_runtime_start(host, ftsan_preload_options());
	if (error != 0) {
		ftsan_signal_give_back();
		return fail(why, error,
			    "the log can't be written, or there is no memory");
	}
	ftsan_dying_start();
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

int ftsan_attach_start(const char *text, const char *run_id, const char *gil,
		       struct ftsan_buf *why)
{
	unsigned n_threads;
	int error;

	if (ftsan_preload_active())
		return fail(why, -EALREADY,
			    ftsan_preload_attached()
				    ? "ftsan is attached to it already"
				    : "ftsan came with its start, and watches it");
	(void)ftsan_start_decide();
	error = options_attached(text, why);
	if (error == 0)
		error = check_threads(&n_threads, why);
	if (error == 0)
		error = describe_attached(run_id, gil, why);
	if (error != 0)
		return error;
	ftsan_scout_forbid(true);
	if (ftsan_thread_start_attached(n_threads) != 0)
		return fail(why, -ENOMEM, "no memory for a signal stack");
	error = start_engines(why);
	if (error != 0)
		return error;
	ftsan_preload_become_active(true);
	error = ftsan_dl_start_attached();
	if (error != 0)
		ftsan_buf_str(why, BUSY_LOADER);
	if (error == 0)
		error = adopt_threads(why);
	/* A lazy binding that was under way may have taken a slot back meanwhile. */
	if (error == 0 && (error = ftsan_dl_start_attached()) != 0)
		ftsan_buf_str(why, BUSY_LOADER);
	if (error == 0) {
		ftsan_freed_hooks_start();
		ftsan_module_life_start(ftsan_start_host()->py_runtime);
	}
	ftsan_runtime_modules_changed();
	if (error != 0 && ftsan_attach_stop(why) != 0)
		ftsan_runtime_halt(true);
	return error;
}

void ftsan_attach_ready(void)
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

int ftsan_attach_stop(struct ftsan_buf *why)
{
	struct ftsan_visited visited;
	bool open;

	ftsan_runtime_halt(true);
	ftsan_scout_forbid(true);
	ftsan_scout_stop();
	if (!ftsan_dl_is_free())
		return go_on(why, BUSY_LOADER);
	/* What frees of the program's ask may fault, and that is our handler's: so they
	 * have to be over when each thread is asked whether it is out. */
	ftsan_freed_hooks_stop();
	(void)open_pages();
	/* A thread that was visited may be in a wrapper again, and read what is not
	 * there, when the handlers go. The visit sees that none is at it as before. */
	ftsan_safe_read_by_calls(true);
	ftsan_visit_threads(FTSAN_VISIT_RELEASE, 2 * (uint64_t)VISIT_NS, &visited);
	open = open_pages();
	/* A thread that was not heard of may fault, or trap: then the handlers stay, and
	 * everything else is gone all the same. */
	ftsan_preload_leave();
	if (open && visited.left == 0 && !ftsan_visit_is_due())
		ftsan_signal_give_back();
	else
		ftsan_buf_str(why, open ? "the signal handlers stay: a thread does not "
					  "answer; "
					: "the signal handlers stay: a page is in use; ");
	ftsan_module_life_stop(ftsan_start_host()->py_runtime);
	(void)ftsan_runtime_stop();
	if (ftsan_dl_stop(ftsan_runtime_live() > 0) != 0)
		ftsan_buf_str(why,
			      "the imports stay redirected, without effect: " BUSY_LOADER
			      "; ");
	return 0;
}
