#include "runtime/records.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "base/base.h"
#include "decode/decode.h"
#include "findings/findings.h"
#include "freed/freed.h"
#include "operations/operations.h"
#include "pages/pages.h"
#include "runtime/children.h"
#include "runtime/gil.h"
#include "runtime/watched.h"
#include "sampler/sampler.h"
#include "statics/statics.h"
#include "threads/threads.h"
#include "words/words.h"

#ifndef FTSAN_VERSION
#error "FTSAN_VERSION comes from the build"
#endif

/* Room for a command line and a path of control characters, six bytes each. */
enum { LINE = 65536, CMDLINE = 4096 };

/* One caller at a time: start, the child of a fork, the end. */
static char storage[LINE];
static char cmdline[CMDLINE];

static void begin(struct ftsan_buf *line, const char *type)
{
	ftsan_line_begin(line, storage, sizeof(storage), type);
}

static void put_argv(struct ftsan_buf *line)
{
	int fd = ftsan_sys_open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = fd < 0 ? 0 : ftsan_sys_read(fd, cmdline, sizeof(cmdline) - 1);

	if (fd >= 0)
		(void)ftsan_sys_close(fd);
	if (n < 0)
		n = 0;
	cmdline[n] = '\0';
	ftsan_line_key(line, "argv");
	ftsan_buf_char(line, '[');
	for (ssize_t at = 0; at < n;) {
		if (at > 0)
			ftsan_buf_char(line, ',');
		ftsan_buf_json(line, cmdline + at);
		while (at < n && cmdline[at] != '\0')
			at++;
		at++;
	}
	ftsan_buf_char(line, ']');
}

static void put_exe(struct ftsan_buf *line)
{
	long n = ftsan_sys_call6(SYS_readlink, (long)"/proc/self/exe", (long)cmdline,
				 sizeof(cmdline) - 1, 0, 0, 0);

	cmdline[n > 0 ? n : 0] = '\0';
	ftsan_line_str(line, "exe", cmdline);
}

/* PY_VERSION_HEX is 0xMMmmppLs. */
static void put_python(struct ftsan_buf *line, uint32_t version)
{
	ftsan_line_key(line, "python");
	ftsan_buf_char(line, '"');
	ftsan_buf_u64(line, version >> 24);
	ftsan_buf_char(line, '.');
	ftsan_buf_u64(line, version >> 16 & 0xff);
	ftsan_buf_char(line, '.');
	ftsan_buf_u64(line, version >> 8 & 0xff);
	ftsan_buf_char(line, '"');
}

static void put_options(struct ftsan_buf *line, const struct ftsan_options *options)
{
	ftsan_line_key(line, "options");
	ftsan_buf_char(line, '{');
#define OPTION_bool(name) ftsan_line_bool(line, #name, options->name);
#define OPTION_uint(name) ftsan_line_u64(line, #name, options->name);
#define OPTION_string(name) ftsan_line_str(line, #name, options->name);
#define FTSAN_OPTION(type, name, default_, min, max, unit, help) OPTION_##type(name)
#include "base/options.def"
#undef FTSAN_OPTION
	ftsan_buf_char(line, '}');
}

void ftsan_record_process(const struct ftsan_host *host,
			  const struct ftsan_options *options,
			  const struct ftsan_pyabi *abi, bool root)
{
	struct ftsan_buf line;

	begin(&line, "process");
	ftsan_line_u64(&line, "pid", (uint64_t)ftsan_sys_getpid());
	ftsan_line_u64(&line, "ppid",
		       (uint64_t)ftsan_sys_call6(SYS_getppid, 0, 0, 0, 0, 0, 0));
	ftsan_line_str(&line, "run", host->run_id);
	ftsan_line_bool(&line, "root", root);
	if (host->attached)
		ftsan_line_bool(&line, "attached", true);
	put_exe(&line);
	put_argv(&line);
	ftsan_line_time(&line);
	put_python(&line, abi->version != 0 ? abi->version : host->py_version);
	ftsan_line_bool(&line, "free_threaded", abi->free_threaded);
	ftsan_line_bool(&line, "python_frames", abi->known);
	if (!abi->known)
		ftsan_line_str(&line, "python_refused", abi->refusal);
	ftsan_line_str(&line, "gil", ftsan_gil_word(host, abi, false));
	ftsan_line_str(&line, "ftsan", FTSAN_VERSION);
	put_options(&line, options);
	ftsan_line_finish(&line);
}

static void put_guard_detail(struct ftsan_buf *line, const struct ftsan_host *host)
{
	char text[256];
	struct ftsan_buf detail;

	ftsan_buf_init(&detail, text, sizeof(text));
	ftsan_buf_str(&detail, "stores are performed by ");
	ftsan_buf_str(&detail, ftsan_guard_store_name());
	if (!ftsan_mem_writable())
		ftsan_buf_str(&detail, "; /proc/self/mem is refused");
	if (!ftsan_decode_available()) {
		ftsan_buf_str(&detail, "; no decoder: ");
		ftsan_buf_str(&detail, host->zydis_reason != NULL ? host->zydis_reason
								  : "not found");
	}
	if (host->unwinder == NULL) {
		ftsan_buf_str(&detail, "; no native stacks: ");
		ftsan_buf_str(&detail, host->unwinder_reason != NULL
					       ? host->unwinder_reason
					       : "not found");
	}
	ftsan_line_str(line, "detail", ftsan_buf_cstr(&detail));
}

void ftsan_record_engine(const struct ftsan_host *host, bool active, const char *reason,
			 bool canary)
{
	struct ftsan_buf line;

	begin(&line, "engine");
	ftsan_line_str(&line, "name", "guard");
	ftsan_line_bool(&line, "active", active);
	if (active)
		put_guard_detail(&line, host);
	else
		ftsan_line_str(&line, "reason", reason);
	ftsan_line_bool(&line, "canary", canary);
	ftsan_line_finish(&line);
}

void ftsan_record_watch(void)
{
	struct ftsan_buf line, detail;
	char text[256];

	ftsan_buf_init(&detail, text, sizeof(text));
	ftsan_buf_str(&detail, ftsan_watch_name());
	if (!ftsan_watch_active())
		ftsan_buf_str(&detail,
			      "; a value that is put back between two looks is missed");
	begin(&line, "engine");
	ftsan_line_str(&line, "name", "watch");
	ftsan_line_bool(&line, "active", true);
	ftsan_line_str(&line, "detail", ftsan_buf_cstr(&detail));
	ftsan_line_finish(&line);
}

void ftsan_record_sampler(void)
{
	struct ftsan_buf line;
	bool active = ftsan_sampler_active();

	begin(&line, "engine");
	ftsan_line_str(&line, "name", "sampler");
	ftsan_line_bool(&line, "active", active);
	ftsan_line_str(&line, active ? "detail" : "reason", ftsan_sampler_name());
	ftsan_line_finish(&line);
}

void ftsan_record_freed(void)
{
	struct ftsan_buf line;
	bool active = ftsan_freed_mode_now() != FTSAN_FREED_OFF;

	begin(&line, "engine");
	ftsan_line_str(&line, "name", "freed");
	ftsan_line_bool(&line, "active", active);
	ftsan_line_str(&line, active ? "detail" : "reason", ftsan_freed_name());
	ftsan_line_finish(&line);
}

void ftsan_record_statics(bool active, const char *detail)
{
	struct ftsan_buf line;

	begin(&line, "engine");
	ftsan_line_str(&line, "name", "statics");
	ftsan_line_bool(&line, "active", active);
	ftsan_line_str(&line, "detail", detail);
	ftsan_line_finish(&line);
}

static void put_hooks(struct ftsan_buf *line, const struct ftsan_host *host)
{
	ftsan_line_key(line, "hooks");
	ftsan_buf_char(line, '{');
	for (unsigned i = 0; i < host->n_hooks; i++)
		ftsan_line_u64(line, host->hook_names[i],
			       atomic_load_explicit(&host->hook_counts[i],
						    memory_order_relaxed));
	ftsan_buf_char(line, '}');
}

static void put_left_out(struct ftsan_buf *line)
{
	ftsan_line_key(line, "buffers_left_out");
	ftsan_buf_char(line, '{');
	ftsan_line_u64(line, "short_lived", ftsan_counted(left_out_short_lived));
	ftsan_line_u64(line, "slots", ftsan_counted(left_out_slots));
	ftsan_line_u64(line, "size", ftsan_counted(left_out_size));
	ftsan_line_u64(line, "fragments", ftsan_counted(left_out_fragments));
	ftsan_line_u64(line, "budget", ftsan_counted(left_out_budget));
	ftsan_line_u64(line, "unbound", ftsan_counted(left_out_unbound));
	ftsan_line_u64(line, "kernel", ftsan_counted(left_out_kernel));
	ftsan_line_u64(line, "thread", ftsan_counted(left_out_thread));
	ftsan_buf_char(line, '}');
}

static void put_counters(struct ftsan_buf *line)
{
	ftsan_line_key(line, "counters");
	ftsan_buf_char(line, '{');
#define FTSAN_COUNTER(name, meaning) ftsan_line_u64(line, #name, ftsan_counted(name));
#include "base/counters.def"
#undef FTSAN_COUNTER
	ftsan_buf_char(line, '}');
}

static void put_gil_requests(struct ftsan_buf *line)
{
	ftsan_line_key(line, "gil_requested_by");
	ftsan_buf_char(line, '[');
	for (unsigned i = 0; i < ftsan_gil_requests(); i++) {
		if (i > 0)
			ftsan_buf_char(line, ',');
		ftsan_buf_json(line, ftsan_gil_request(i));
	}
	ftsan_buf_char(line, ']');
}

/* What the summary says only where there was any. */
static void put_lost(struct ftsan_buf *line)
{
	ftsan_line_u64(line, "reports_lost", ftsan_counted(reports_lost));
	ftsan_line_u64(line, "log_errors", ftsan_counted(log_errors));
	ftsan_line_u64(line, "stacks_refused", ftsan_counted(left_out_stacks));
	ftsan_line_u64(line, "scout_refused", ftsan_counted(left_out_scout));
}

/* sum_threads() - what the threads counted for themselves. */
static void sum_threads(void)
{
	struct ftsan_thread_sums sums;

	ftsan_thread_counts_sum(&sums);
	atomic_store_explicit(&ftsan_counters.buffers_seen, sums.seen + sums.short_lived,
			      memory_order_relaxed);
	atomic_store_explicit(&ftsan_counters.buffers_guarded, sums.guarded,
			      memory_order_relaxed);
	atomic_store_explicit(&ftsan_counters.left_out_short_lived, sums.short_lived,
			      memory_order_relaxed);
}

void ftsan_record_coverage(const struct ftsan_host *host, const struct ftsan_pyabi *abi,
			   bool last)
{
	struct ftsan_buf line;

	sum_threads();
	ftsan_freed_count();
	if (last)
		ftsan_guard_count_live();
	begin(&line, "coverage");
	ftsan_line_u64(&line, "buffers_seen", ftsan_counted(buffers_seen));
	ftsan_line_u64(&line, "buffers_guarded", ftsan_counted(buffers_guarded));
	ftsan_line_u64(&line, "buffers_published", ftsan_counted(buffers_published));
	put_left_out(&line);
	ftsan_line_u64(&line, "operations_watched", ftsan_counted(operations_sampled));
	ftsan_line_u64(&line, "arrays_held", ftsan_counted(held));
	ftsan_line_u64(&line, "headers_watched", ftsan_counted(watch_armed));
	ftsan_line_u64(&line, "header_word_ms", ftsan_counted(watch_ns) / 1000000);
	ftsan_line_u64(&line, "traps", ftsan_counted(traps));
	ftsan_line_u64(&line, "windows", ftsan_counted(windows));
	ftsan_line_u64(&line, "window_ms", ftsan_counted(window_ns) / 1000000);
	ftsan_line_u64(&line, "collisions", ftsan_counted(collisions));
	ftsan_line_u64(&line, "quarantined", ftsan_counted(quarantined));
	ftsan_line_u64(&line, "guard_bytes", ftsan_guard_bound_bytes());
	ftsan_line_u64(&line, "guard_resident_bytes", ftsan_guard_resident_bytes());
	ftsan_line_u64(&line, "threads", ftsan_threads_seen());
	ftsan_line_u64(&line, "operating_threads", 1 + ftsan_counted(workers));
	ftsan_line_u64(&line, "arrays_over_10ms", ftsan_counted(old_buffers));
	ftsan_line_u64(&line, "arrays_over_10ms_published", ftsan_counted(old_published));
	ftsan_line_u64(&line, "arrays_over_10ms_left_out", ftsan_counted(old_left_out));
	ftsan_line_str(&line, "gil", ftsan_gil_word(host, abi, true));
	put_lost(&line);
	put_gil_requests(&line);
	put_hooks(&line, host);
	put_counters(&line);
	ftsan_record_watched(&line, ftsan_latent(), ftsan_gil_is_on(host, abi));
	ftsan_record_children(&line);
	ftsan_statics_record_unread(&line);
	ftsan_record_modules(&line);
	ftsan_line_finish(&line);
}

void ftsan_record_child(int pid, int signal)
{
	struct ftsan_buf line;

	begin(&line, "child");
	ftsan_line_u64(&line, "pid", (uint64_t)pid);
	ftsan_line_u64(&line, "signal", (uint64_t)signal);
	ftsan_line_time(&line);
	ftsan_line_finish(&line);
}

static void put_duplicate(uint64_t fingerprint, uint32_t more, void *to)
{
	struct ftsan_buf *line = to;
	char text[20];
	struct ftsan_buf name;

	ftsan_buf_init(&name, text, sizeof(text));
	ftsan_buf_hex16(&name, fingerprint);
	ftsan_line_u64(line, ftsan_buf_cstr(&name), more);
}

void ftsan_record_end(const char *reason, int status)
{
	struct ftsan_buf line;

	begin(&line, "end");
	ftsan_line_time(&line);
	ftsan_line_str(&line, "reason", reason);
	if (status >= 0)
		ftsan_line_u64(&line, "status", (uint64_t)status);
	ftsan_line_u64(&line, "findings", ftsan_report_records());
	ftsan_line_key(&line, "duplicates");
	ftsan_buf_char(&line, '{');
	ftsan_report_duplicates(put_duplicate, &line);
	ftsan_buf_char(&line, '}');
	ftsan_line_finish(&line);
}
