#include "runtime/runtime.h"

#include <string.h>

#include "base/base.h"
#include "budget/budget.h"
#include "crash/crash.h"
#include "findings/findings.h"
#include "freed/freed.h"
#include "locks/locks.h"
#include "operations/operations.h"
#include "pages/pages.h"
#include "runtime/blind.h"
#include "runtime/children.h"
#include "runtime/engines.h"
#include "runtime/flush.h"
#include "runtime/records.h"
#include "sampler/sampler.h"
#include "stacks/stacks.h"
#include "statics/statics.h"
#include "threads/threads.h"
#include "words/words.h"

/* Scout periods at a time while nothing can race, or no buffer is to be sealed: so long
 * that the scout costs little, and short enough that what lives for 10 ms is published.
 */
enum { IDLE_PACE = 4 };

/* Who writes the last records waits so long for one who writes others. */
static const uint64_t RECORDS_NS = 200u * 1000 * 1000;

/* Set at start, constant afterwards but for what a fork changes. */
static const struct ftsan_host *host;
static const struct ftsan_options *options;
static bool root;
static _Atomic int own_pid;
static _Atomic bool active;
static _Atomic bool ended;

static void say_start(void)
{
	ftsan_record_process(host, options, &ftsan_abi, root);
	ftsan_engines_record();
}

/* Without a log the findings are still there to be told. */
static void say_no_log(int error)
{
	char text[FTSAN_LOG_PATH_MAX + 128];
	struct ftsan_buf line;

	ftsan_buf_init(&line, text, sizeof(text));
	ftsan_buf_str(&line, "ftsan: the log ");
	ftsan_buf_str(&line, ftsan_log_path());
	ftsan_buf_str(&line, " can't be opened (errno ");
	ftsan_buf_i64(&line, -error);
	ftsan_buf_str(&line, "): findings go to stderr only\n");
	ftsan_log_stderr(&line);
}

/* What was watched so far, if it is time to tell. */
static void flush(void)
{
	if (!ftsan_flush_due() || !ftsan_runtime_own_process() ||
	    atomic_load_explicit(&ended, memory_order_relaxed) || !ftsan_flush_enter(0))
		return;
	if (ftsan_runtime_active() && !atomic_load_explicit(&ended, memory_order_relaxed))
		ftsan_record_coverage(host, &ftsan_abi, false);
	ftsan_flush_leave();
}

/* Of what was counted before a detach, nothing belongs to this log. */
static void begin_anew(void)
{
	atomic_store_explicit(&ended, false, memory_order_relaxed);
	ftsan_counters_reset();
	ftsan_thread_counts_reset();
	ftsan_flush_begin();
	ftsan_beat_set(flush);
	/* Nothing may be sealed before every thread has a stack to fault on. */
	ftsan_runtime_halt(host->attached);
}

int ftsan_runtime_start(const struct ftsan_host *the_host,
			const struct ftsan_options *the_options)
{
	int error;

	host = the_host;
	options = the_options;
	root = host->root;
	begin_anew();
	atomic_store_explicit(&own_pid, ftsan_sys_getpid(), memory_order_relaxed);
	ftsan_engines_stacks(host, options);
	ftsan_log_keep_stderr();
	error = ftsan_report_init(options->print, host->gil_kept_off,
				  ftsan_abi.known ? &ftsan_abi : NULL,
				  host->py_code_type);
	if (error != 0)
		return error;
	(void)ftsan_thread_self();
	error = ftsan_log_open(options->log, root);
	/* Whoever attaches is told, not the program's stderr. */
	if (error != 0 && host->attached)
		return error;
	/* Its children would say the same. */
	if (error != 0 && root)
		say_no_log(error);
	ftsan_effort_init(options->steady);
	ftsan_engines_start();
	say_start();
	atomic_store_explicit(&active, true, memory_order_release);
	return 0;
}

bool ftsan_runtime_active(void)
{
	return atomic_load_explicit(&active, memory_order_acquire);
}

bool ftsan_runtime_look_fault(const siginfo_t *info, const void *ucontext)
{
	return ftsan_witness_looks() && ftsan_statics_let_read(info, ucontext);
}

bool ftsan_runtime_walk_fault(const siginfo_t *info, const void *ucontext)
{
	return ftsan_stack_walking() && ftsan_statics_let_read(info, ucontext);
}

bool ftsan_runtime_fault(siginfo_t *info, void *ucontext)
{
	ftsan_statics_interrupted(info, ucontext);
	return ftsan_trap_fault(info, ucontext) || ftsan_statics_fault(info, ucontext);
}

bool ftsan_runtime_trap(siginfo_t *info, void *ucontext)
{
	return ftsan_sampler_trap(info, ucontext) || ftsan_watch_trap(info, ucontext) ||
	       ftsan_statics_watched(info, ucontext) ||
	       (info->si_code > 0 &&
		(ftsan_trap_step(ucontext) || ftsan_statics_step(ucontext)));
}

const struct ftsan_host *ftsan_runtime_host(void)
{
	return host;
}

uint32_t ftsan_runtime_pace(void)
{
	bool urgent = ftsan_workers_enough() && !ftsan_effort_is_steady() &&
		      (ftsan_guard_waiting() || ftsan_recheck_on());

	return urgent ? 1 : IDLE_PACE;
}

void ftsan_runtime_child_died(int pid, int signal)
{
	if (!ftsan_runtime_active() || !ftsan_runtime_own_process() ||
	    !ftsan_flush_enter(RECORDS_NS))
		return;
	ftsan_record_child(pid, signal);
	ftsan_flush_leave();
}

void ftsan_runtime_tick(uint32_t periods)
{
	flush();
	ftsan_guard_tick(periods);
	ftsan_recheck_scout((uint64_t)options->scout_us * 1000);
	ftsan_statics_poll();
	ftsan_sampler_tick();
}

void ftsan_runtime_scout(bool running)
{
	ftsan_guard_scout_running(running);
}

void ftsan_runtime_modules_changed(void)
{
	(void)ftsan_modules_refresh(host->iterate);
	ftsan_sampler_modules_changed();
}

void ftsan_runtime_unload_begin(void)
{
	ftsan_statics_unload_begin();
	ftsan_sampler_unload_begin();
}

void ftsan_runtime_unload_end(bool (*is_loaded)(uintptr_t address))
{
	ftsan_sampler_unload_end(is_loaded);
	ftsan_statics_unload_end(is_loaded);
}

bool ftsan_runtime_thread_coming(uintptr_t routine)
{
	if (ftsan_runtime_active())
		ftsan_everyone_open();
	return ftsan_sampler_thread_coming(routine);
}

void ftsan_runtime_thread_failed(bool counted)
{
	ftsan_sampler_thread_failed(counted);
}

void ftsan_runtime_thread_begin(const struct ftsan_thread_start *start)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	if (thread != NULL)
		ftsan_sampler_thread_begin(thread, start->counted, start->stack_begin,
					   start->stack_end);
}

void ftsan_runtime_thread_end(void)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	if (thread == NULL)
		return;
	ftsan_pages_thread_end(thread);
	ftsan_operation_thread_end(thread);
	ftsan_watch_thread_end(thread);
	ftsan_recheck_reset(thread);
	ftsan_statics_thread_end(thread);
	ftsan_held_thread_end(thread);
	ftsan_sampler_thread_end(thread);
	ftsan_thread_release();
}

void ftsan_runtime_fork_prepare(void)
{
	ftsan_stack_fork_prepare();
	ftsan_sampler_fork_prepare();
	ftsan_guard_fork_prepare();
	ftsan_report_fork_prepare();
}

void ftsan_runtime_fork_parent(void)
{
	ftsan_report_fork_parent();
	ftsan_guard_fork_parent();
	ftsan_sampler_fork_parent();
	ftsan_stack_fork_done();
}

void ftsan_runtime_fork_child(void)
{
	atomic_store_explicit(&own_pid, ftsan_sys_getpid(), memory_order_relaxed);
	ftsan_mem_fork_child();
	ftsan_effort_begin();
	ftsan_watch_fork_child();
	ftsan_everyone_fork_child();
	ftsan_sampler_fork_child();
	ftsan_word_race_fork_child();
	ftsan_recheck_fork_child();
	ftsan_operation_fork_child();
	ftsan_pages_threads_fork_child();
	ftsan_held_fork_child();
	ftsan_statics_fork_child();
	ftsan_freed_fork_child();
	ftsan_thread_records_fork_child();
	ftsan_workers_alone();
	ftsan_report_fork_child();
	ftsan_guard_fork_child();
	ftsan_stack_fork_done();
	atomic_store_explicit(&ended, false, memory_order_relaxed);
	ftsan_counters_reset();
	ftsan_children_fork_child();
	ftsan_flush_begin();
	root = false;
	if (!ftsan_runtime_active())
		return;
	(void)ftsan_log_open(options->log, root);
	say_start();
}

bool ftsan_runtime_own_process(void)
{
	return atomic_load_explicit(&own_pid, memory_order_relaxed) == ftsan_sys_getpid();
}

void ftsan_runtime_halt(bool halt)
{
	ftsan_guard_halt(halt);
	ftsan_watch_halt(halt);
	ftsan_statics_halt(halt);
	ftsan_sampler_halt(halt);
}

bool ftsan_runtime_open(void)
{
	return ftsan_guard_open();
}

bool ftsan_runtime_leave(bool force)
{
	struct ftsan_thread *thread = ftsan_thread_mine;

	if (thread == NULL)
		return true;
	if (ftsan_pages_busy(thread) || ftsan_statics_busy(thread) ||
	    ftsan_sampler_busy(thread))
		return false;
	/* The end of the operation puts its words in order by itself. */
	if (ftsan_operations_of(thread)->innermost != NULL && ftsan_watch_any(thread) &&
	    !force)
		return false;
	ftsan_watch_thread_end(thread);
	return true;
}

unsigned ftsan_runtime_stop(void)
{
	unsigned findings = ftsan_runtime_end("detach", -1);

	atomic_store_explicit(&active, false, memory_order_release);
	ftsan_log_close();
	return findings;
}

uint32_t ftsan_runtime_live(void)
{
	return ftsan_guard_live();
}

unsigned ftsan_runtime_end(const char *reason, int status)
{
	if (!ftsan_runtime_active() || !ftsan_runtime_own_process())
		return 0;
	if (!atomic_exchange(&ended, true)) {
		bool entered = ftsan_flush_enter(RECORDS_NS);

		ftsan_statics_flush();
		ftsan_statics_record_modules();
		ftsan_statics_inventory();
		ftsan_record_coverage(host, &ftsan_abi, true);
		ftsan_record_end(reason, status);
		if (options->print && root && strcmp(reason, "exec") != 0 &&
		    strcmp(reason, "detach") != 0)
			ftsan_blind_tell(host, &ftsan_abi);
		if (entered)
			ftsan_flush_leave();
	}
	return ftsan_report_count();
}

void ftsan_runtime_unend(void)
{
	if (ftsan_runtime_active() && ftsan_runtime_own_process())
		atomic_store_explicit(&ended, false, memory_order_relaxed);
}
