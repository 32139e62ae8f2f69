#include "attach/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "attach/attach_python.h"
#include "attach/attach_start.h"
#include "base/base.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "process/process.h"
#include "python/python.h"
#include "runtime/runtime.h"
#include "statics/statics_seal.h"

enum { REQUEST_BYTES = 8192, LINE_BYTES = 1024, STACK_BYTES = 1 << 20 };
enum { TURN_NS = 2000000000, PAUSE_NS = 1000000 };

/**
 * struct request - what is asked for
 * @detach:  or else attach
 * @text:    the file; the strings point into it
 * @status:  file for the answer
 */
struct request {
	bool detach;
	char text[REQUEST_BYTES];
	const char *status, *options, *run;
};

/* One request at a time: the process that has one under way, which a fork copies, but
 * not the thread that is at it. */
static _Atomic int busy_pid;

/* Attached or draining, not both; written while busy. */
static _Atomic bool draining;
/* Guarded buffers left at the last count, less those freed since. */
static _Atomic int64_t left;

static bool try_turn(void)
{
	int self = ftsan_sys_getpid(), holder = atomic_load(&busy_pid);

	return holder != self && atomic_compare_exchange_strong(&busy_pid, &holder, self);
}

static void end_turn(void)
{
	atomic_store(&busy_pid, 0);
}

/* false: there was no draining. */
static bool stop_draining(void)
{
	ftsan_memory_tell_freed(NULL);
	return atomic_exchange(&draining, false);
}

/* --- the request and its answer ----------------------------------------------------- */

/* "KEY=VALUE" lines; cuts the text into strings. */
static void parse(struct request *request)
{
	static const char *const keys[] = {"status=", "options=", "run="};
	const char **const values[] = {&request->status, &request->options,
				       &request->run};
	char *rest = NULL;

	for (char *line = strtok_r(request->text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		for (unsigned i = 0; i < FTSAN_ARRAY_LEN(keys); i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				*values[i] = line + strlen(keys[i]);
}

static int read_request(struct request *request, const char *path)
{
	int fd = ftsan_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = ftsan_sys_read(fd, request->text, sizeof(request->text) - 1);
	(void)ftsan_sys_close(fd);
	if (n < 0)
		return (int)n;
	request->status = request->options = request->run = "";
	parse(request);
	return request->status[0] == '/' ? 0 : -EINVAL;
}

/* One write a line. The file is the command's; false: it is gone, nobody waits. */
static bool say(const struct request *request, const char *word, const char *text)
{
	char storage[LINE_BYTES];
	struct ftsan_buf line;
	int fd = ftsan_sys_open(request->status,
				O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0);

	if (fd < 0)
		return false;
	ftsan_buf_init(&line, storage, sizeof(storage) - 1);
	ftsan_buf_str(&line, word);
	ftsan_buf_str(&line, text);
	for (char *newline = line.text; newline < line.text + line.length; newline++)
		if (*newline == '\n')
			*newline = ' ';
	storage[line.length++] = '\n';
	(void)ftsan_sys_write(fd, storage, line.length);
	(void)ftsan_sys_close(fd);
	return true;
}

/* The last words: whoever reads them may ask for something else at once. */
static void conclude(const struct request *request, const char *word, const char *text)
{
	end_turn();
	(void)say(request, word, text);
}

/* --- attaching ---------------------------------------------------------------------- */

static void describe(struct ftsan_buf *text, const struct ftsan_attach_found *found,
		     const char *gil)
{
	ftsan_buf_str(text, "GIL ");
	ftsan_buf_str(text, gil ? gil : "unknown");
	ftsan_buf_str(text,
		      found->numpy ? ", NumPy is loaded, " : ", NumPy is not loaded, ");
	ftsan_buf_u64(text, found->modules);
	ftsan_buf_str(text, " extension modules are loaded");
	if (found->of_slots > 0) {
		ftsan_buf_str(text, ", and ");
		ftsan_buf_u64(text, found->of_slots);
		ftsan_buf_str(text, " made from slots alone, whose functions are NOT "
				    "watched as operations");
	}
	if (found->caches.found == 0)
		return;
	ftsan_buf_str(text, ", ");
	ftsan_buf_u64(text, found->caches.moved);
	ftsan_buf_str(text, " of ");
	ftsan_buf_u64(text, found->caches.found);
	ftsan_buf_str(text, " Cython code caches are guarded");
}

static void attach(const struct request *request)
{
	char storage[LINE_BYTES];
	struct ftsan_buf text;
	struct ftsan_attach_found found;
	const char *refusal = ftsan_attach_python_refusal();
	const char *gil;

	if (refusal) {
		conclude(request, "failed: ", refusal);
		return;
	}
	say(request, "step: ", "waiting for the interpreter");
	gil = ftsan_attach_python_gil();
	ftsan_buf_init(&text, storage, sizeof(storage) - 1);
	/* It may have taken long to get to the interpreter, and the command gave up. */
	if (!say(request, "step: ", "taking signals, redirecting imports")) {
		end_turn();
		return;
	}
	if (ftsan_attach_start(request->options, request->run, gil, &text) != 0) {
		conclude(request, "failed: ", ftsan_buf_cstr(&text));
		return;
	}
	(void)stop_draining();
	ftsan_runtime_halt(false);
	say(request, "step: ", "hooking what is loaded");
	ftsan_attach_python_hook(&found);
	ftsan_attach_ready();
	ftsan_statics_seal_all();
	describe(&text, &found, gil);
	conclude(request, "done: ", ftsan_buf_cstr(&text));
}

/* --- detaching ---------------------------------------------------------------------- */

/*
 * Frees are counted from before the walk on: one that the walk still saw as a buffer
 * may be counted twice at worst, and then the next count comes early.
 */
static bool drained(void)
{
	int64_t now = ftsan_runtime_live();

	return atomic_fetch_add(&left, now) + now <= 0 && now == 0;
}

static void drop_last_hooks(void)
{
	if (!stop_draining())
		return;
	(void)ftsan_dl_stop(false);
}

/* After each free of a guarded buffer: with the last one, the last hooks go. */
static void count_freed(void)
{
	if (atomic_fetch_sub(&left, 1) > 1 || !try_turn())
		return;
	atomic_store(&left, 0);
	if (drained() && !ftsan_preload_active())
		drop_last_hooks();
	end_turn();
}

static void detach(const struct request *request)
{
	char storage[LINE_BYTES];
	struct ftsan_buf text;

	if (!ftsan_preload_attached()) {
		conclude(request, "failed: ",
			 ftsan_preload_active() ? "ftsan came with its start, and stays"
						: "ftsan is not attached to it");
		return;
	}
	ftsan_buf_init(&text, storage, sizeof(storage) - 1);
	say(request, "step: ", "waiting for the interpreter");
	ftsan_scout_forbid(true);
	ftsan_scout_stop();
	ftsan_attach_python_restore();
	say(request, "step: ", "opening pages, giving signals and imports back");
	if (ftsan_attach_stop(&text) != 0) {
		struct ftsan_attach_found found;
		ftsan_attach_python_hook(&found);
		ftsan_attach_ready();
		conclude(request, "failed: ", ftsan_buf_cstr(&text));
		return;
	}
	ftsan_attach_cython_forget();
	atomic_store(&left, 0);
	atomic_store(&draining, true);
	ftsan_memory_tell_freed(count_freed);
	if (drained())
		drop_last_hooks();
	else
		ftsan_buf_str(&text, "arrays or caches of ours are in use: what frees "
				     "them stays until the last one has gone");
	conclude(request, "done: ", ftsan_buf_cstr(&text));
}

/* --- the thread that does it -------------------------------------------------------- */

/* Whoever frees the last buffers has it for a moment, too. */
static bool take_turn(void)
{
	uint64_t end = ftsan_sys_now_ns() + TURN_NS;

	while (!try_turn()) {
		if (ftsan_sys_now_ns() >= end)
			return false;
		ftsan_sys_sleep(PAUSE_NS);
	}
	return true;
}

static void *serve(void *argument)
{
	struct request *request = argument;

	prctl(PR_SET_NAME, "ftsan-attach");
	if (!take_turn())
		(void)say(request, "failed: ", "another attach or detach is under way");
	else if (request->detach)
		detach(request);
	else
		attach(request);
	free(request);
	return NULL;
}

/* Only faults come through: the program's signals are for its own threads. */
static int start(struct request *request)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGTRAP);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	FTSAN_REAL(pthread_sigmask)(SIG_SETMASK, &all, &before);
	error = FTSAN_REAL(pthread_create)(&thread, &attr, serve, request);
	FTSAN_REAL(pthread_sigmask)(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -error;
}

static int accept_request(const char *path, bool detach_it)
{
	struct request *request = calloc(1, sizeof(*request));
	int error;

	if (!request)
		return -ENOMEM;
	request->detach = detach_it;
	error = read_request(request, path);
	if (error == 0) {
		error = start(request);
		if (error == 0)
			return 0;
		(void)say(request, "failed: ", "no thread could be started");
	}
	free(request);
	return error;
}

__attribute__((visibility("default"))) int ftsan_attach(const char *request)
{
	return accept_request(request, false);
}

__attribute__((visibility("default"))) int ftsan_detach(const char *request)
{
	return accept_request(request, true);
}
