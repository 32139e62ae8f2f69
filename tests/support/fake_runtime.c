/*
 * A detector that only notes what it was asked: the preload's tests look at this.
 *
 * FTSAN_FAKE_LOG:      file that each call appends a line to, with the pid
 * FTSAN_FAKE_FINDINGS: what ftsan_runtime_end() answers
 * The page at FAKE_PAGE plays the guarded buffer: a fault on it opens it.
 */
#include "fake_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/base.h"
#include "runtime/runtime.h"

static int own_pid;
static bool ended;
static _Atomic unsigned ticks;
static const struct ftsan_host *host;

static void note(const char *what, const char *detail, long number)
{
	const char *path = getenv("FTSAN_FAKE_LOG");
	char storage[256];
	struct ftsan_buf buf;
	int fd;

	if (!path)
		return;
	ftsan_buf_init(&buf, storage, sizeof(storage));
	ftsan_buf_i64(&buf, ftsan_sys_getpid());
	ftsan_buf_char(&buf, ' ');
	ftsan_buf_str(&buf, what);
	if (detail) {
		ftsan_buf_char(&buf, ' ');
		ftsan_buf_str(&buf, detail);
		ftsan_buf_char(&buf, ' ');
		ftsan_buf_i64(&buf, number);
	}
	ftsan_buf_char(&buf, '\n');
	fd = ftsan_sys_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	ftsan_sys_write(fd, buf.text, buf.length);
	ftsan_sys_close(fd);
}

/* The canary: a read that faults comes back only if the handlers are in place. */
int ftsan_runtime_start(const struct ftsan_host *given,
			const struct ftsan_options *options)
{
	uint64_t value;

	(void)options;
	host = given;
	own_pid = ftsan_sys_getpid();
	mmap((void *)FAKE_PAGE, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	     -1, 0);
	note("start", host->root ? "root" : "child", ftsan_safe_u64(16, &value) ? 1 : 0);
	note("unwinder", host->unwinder_reason, host->unwinder != NULL);
	note("zydis", host->zydis_reason, host->zydis_decode != NULL);
	return getenv("FTSAN_FAKE_REFUSE") ? -ENOTSUP : 0;
}

const struct ftsan_host *ftsan_runtime_host(void)
{
	return host;
}

bool ftsan_runtime_active(void)
{
	return own_pid != 0;
}

/*
 * A watchpoint is hit in the handler, where SIGTRAP is blocked, and then a read faults:
 * the kernel delivers the trap first. It has to come back from both.
 */
static void trap_and_fault(void)
{
	siginfo_t hit = {.si_signo = SIGTRAP, .si_code = 6 /* TRAP_PERF */};
	uint64_t value;

	hit.si_addr = (void *)FAKE_PAGE;
	if (ftsan_sys_call6(SYS_rt_tgsigqueueinfo, own_pid, ftsan_sys_gettid(), SIGTRAP,
			    (long)&hit, 0, 0) != 0 ||
	    ftsan_safe_u64(16, &value))
		abort();
}

bool ftsan_runtime_look_fault(const siginfo_t *info, const void *ucontext)
{
	(void)info;
	(void)ucontext;
	return false;
}

bool ftsan_runtime_walk_fault(const siginfo_t *info, const void *ucontext)
{
	(void)info;
	(void)ucontext;
	return false;
}

bool ftsan_runtime_fault(siginfo_t *info, void *ucontext)
{
	(void)ucontext;
	errno = EBADF; /* to see that the wrapper keeps the program's */
	if ((uintptr_t)info->si_addr - FAKE_PAGE >= 4096)
		return false;
	trap_and_fault();
	mprotect((void *)FAKE_PAGE, 4096, PROT_READ | PROT_WRITE);
	return true;
}

bool ftsan_runtime_trap(siginfo_t *info, void *ucontext)
{
	(void)ucontext;
	return info->si_addr == (void *)FAKE_PAGE;
}

void ftsan_runtime_tick(uint32_t periods)
{
	(void)periods;
	if (ticks++ == 3)
		note("tick", NULL, 0);
}

uint32_t ftsan_runtime_pace(void)
{
	return 1;
}

void ftsan_runtime_scout(bool running)
{
	note(running ? "scout_begin" : "scout_end", NULL, 0);
}

void ftsan_runtime_unload_begin(void)
{
}

void ftsan_runtime_unload_end(bool (*is_loaded)(uintptr_t address))
{
	(void)is_loaded;
}

void ftsan_runtime_modules_changed(void)
{
	note("modules", NULL, 0);
}

bool ftsan_runtime_thread_coming(uintptr_t routine)
{
	(void)routine;
	return false;
}

void ftsan_runtime_thread_failed(bool counted)
{
	(void)counted;
}

void ftsan_runtime_thread_begin(const struct ftsan_thread_start *start)
{
	(void)start;
	note("thread_begin", NULL, 0);
}

void ftsan_runtime_thread_end(void)
{
	note("thread_end", NULL, 0);
}

void ftsan_runtime_fork_prepare(void)
{
	note("fork_prepare", NULL, 0);
}

void ftsan_runtime_fork_parent(void)
{
	note("fork_parent", NULL, 0);
}

void ftsan_runtime_fork_child(void)
{
	own_pid = ftsan_sys_getpid();
	ended = false;
	note("fork_child", NULL, 0);
}

static void note_hooks(void)
{
	for (unsigned i = 0; i < host->n_hooks; i++)
		if (host->hook_counts[i])
			note("hook", host->hook_names[i], host->hook_counts[i]);
}

unsigned ftsan_runtime_end(const char *reason, int status)
{
	const char *findings = getenv("FTSAN_FAKE_FINDINGS");

	if (ended || !ftsan_runtime_own_process())
		return 0;
	ended = true;
	note_hooks();
	note("end", reason, status);
	return findings ? (unsigned)atoi(findings) : 0;
}

void ftsan_runtime_unend(void)
{
	ended = false;
	note("unend", NULL, 0);
}

void ftsan_runtime_child_died(int pid, int signal)
{
	(void)pid;
	note("child_died", NULL, signal);
}

void ftsan_runtime_halt(bool halt)
{
	note("halt", "", halt);
}

bool ftsan_runtime_open(void)
{
	return true;
}

bool ftsan_runtime_leave(bool force)
{
	(void)force;
	return true;
}

unsigned ftsan_runtime_stop(void)
{
	return ftsan_runtime_end("detach", -1);
}

uint32_t ftsan_runtime_live(void)
{
	return 0;
}

bool ftsan_runtime_own_process(void)
{
	return own_pid == ftsan_sys_getpid();
}
