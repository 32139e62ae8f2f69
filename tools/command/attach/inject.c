#include "attach/inject.h"

#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/annot.h"
#include "common/clock.h"
#include "attach/inject_code.h"
#include "common/message.h"

/* The kernel's, for calls that a stop has interrupted (include/linux/errno.h). */
enum { RESTARTSYS = 512, RESTARTNOINTR = 513, RESTARTNOHAND = 514, RESTART_BLOCK = 516 };
enum { FUTEX_WAIT_BITSET_OP = 9, FUTEX_OP_BITS = 0x7f };
enum { STOP_MS = 500, PAUSE_US = 3000, USER_CODE_SEGMENT = 0x33 };

/* struct plan - what is the same for each thread that is tried */
struct plan {
	const struct ftsan_target *target;
	uint64_t cave;
	struct ftsan_block block;
};

/* --- where ------------------------------------------------------------------------ */

/* Calls that wait, and that neither malloc nor the loader makes. */
static bool waits(const struct ftsan_stop *stop)
{
	switch (stop->number) {
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_accept:
	case SYS_accept4:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_pause:
	case SYS_rt_sigtimedwait:
	case SYS_rt_sigsuspend:
		return true;
	case SYS_read:
		/* Of a pipe, a socket or a terminal: a file's is never interrupted. */
		return stop->result == -RESTARTSYS;
	case SYS_futex:
		/* Semaphores, conditions, joins; mutexes and malloc's locks wait by the
		 * plain operation. */
		return (stop->second & FUTEX_OP_BITS) == FUTEX_WAIT_BITSET_OP;
	}
	return false;
}

bool ftsan_inject_may(const struct ftsan_stop *stop)
{
	if (stop->blocked != 0 || stop->stack_room < FTSAN_INJECT_STACK)
		return false;
	return stop->in_syscall ? waits(stop) : stop->in_python;
}

static bool is_extension(const char *path)
{
	return strstr(path, "/lib-dynload/") != NULL ||
	       strstr(path, ".cpython-") != NULL || strstr(path, ".abi3.so") != NULL;
}

/* An interpreter that brings a malloc of its own may be in that. */
static bool is_pythons(const struct ftsan_target *target, uint64_t ip)
{
	const struct ftsan_mapping *mapping = ftsan_target_mapping(target, ip);

	if (mapping == NULL || !mapping->executable)
		return false;
	return is_extension(mapping->path) ||
	       (strcmp(mapping->path, target->python) == 0 && !target->has_malloc);
}

/*
 * The main thread's stack grows by itself, up to its limit.
 *
 * glibc keeps what the fs register points at on top of a thread's stack: where that is
 * not, the thread is on another one (a signal's, a fiber's), and what lies below that is
 * not known. A stack that is younger than the list of mappings counts as none.
 */
static uint64_t stack_room(const struct ftsan_target *target,
			   const struct user_regs_struct *regs)
{
	const struct ftsan_mapping *mapping = ftsan_target_mapping(target, regs->rsp);

	if (mapping == NULL)
		return 0;
	if (strcmp(mapping->path, "[stack]") == 0) {
		uint64_t used = mapping->end - regs->rsp;
		uint64_t limit = ftsan_target_stack_limit(target);

		return limit > used ? limit - used : 0;
	}
	return regs->fs_base > regs->rsp && regs->fs_base < mapping->end
		       ? regs->rsp - mapping->begin
		       : 0;
}

/* --- one thread --------------------------------------------------------------------- */

static struct ftsan_stop describe(const struct plan *plan, pid_t tid,
				  const struct user_regs_struct *regs)
{
	struct ftsan_stop stop = {
		.in_syscall = (long)regs->orig_rax >= 0,
		.number = (long)regs->orig_rax,
		.result = (long)regs->rax,
		.second = regs->rsi,
		.in_python = is_pythons(plan->target, regs->rip),
		.stack_room = stack_room(plan->target, regs),
		.blocked = ~UINT64_C(0),
	};

	if (ptrace(PTRACE_GETSIGMASK, tid, sizeof(stop.blocked), &stop.blocked) != 0)
		stop.blocked = ~UINT64_C(0);
	return stop;
}

/* What the kernel does on the way out of a call that was interrupted, and will not do
 * once the thread is somewhere else. */
static void restart(struct user_regs_struct *regs)
{
	if ((long)regs->orig_rax < 0)
		return;
	switch (-(long)regs->rax) {
	case RESTARTSYS:
	case RESTARTNOINTR:
	case RESTARTNOHAND:
		regs->rax = regs->orig_rax;
		regs->rip -= 2;
		break;
	case RESTART_BLOCK:
		regs->rax = SYS_restart_syscall;
		regs->rip -= 2;
		break;
	}
}

static struct ftsan_saved save(const struct user_regs_struct *regs)
{
	return (struct ftsan_saved){
		.r15 = regs->r15,
		.r14 = regs->r14,
		.r13 = regs->r13,
		.r12 = regs->r12,
		.rbp = regs->rbp,
		.rbx = regs->rbx,
		.r11 = regs->r11,
		.r10 = regs->r10,
		.r9 = regs->r9,
		.r8 = regs->r8,
		.rcx = regs->rcx,
		.rdx = regs->rdx,
		.rsi = regs->rsi,
		.rdi = regs->rdi,
		.rax = regs->rax,
		.flags = regs->eflags,
		.rip = regs->rip,
	};
}

/* Of a process that has ended, nothing is written, and that is no error of the call's. */
static int write_memory(const struct plan *plan, uint64_t address, const void *from,
			size_t size)
{
	ssize_t n = pwrite(plan->target->memory, from, size, (off_t)address);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -ESRCH;
}

/* The last step is the one that counts, and it is one call. */
static int send(struct plan *plan, pid_t tid, struct user_regs_struct *regs)
{
	size_t code = (size_t)(ftsan_inject_code_end - ftsan_inject_code);
	uint64_t block = regs->rsp - FTSAN_RED_ZONE - sizeof(plan->block);
	int error;

	restart(regs);
	plan->block.saved = save(regs);
	error = write_memory(plan, plan->cave, ftsan_inject_code, code);
	if (error == 0)
		error = write_memory(plan, block, &plan->block, sizeof(plan->block));
	if (error != 0)
		return error;
	regs->rip = plan->cave;
	regs->rsp = block;
	regs->orig_rax = (unsigned long long)-1;
	return ptrace(PTRACE_SETREGS, tid, NULL, regs) == 0 ? 0 : -errno;
}

/* Stopped by us and nothing else; else it is let go as it was. */
static bool wait_for_stop(pid_t tid, int *signal)
{
	struct timespec pause = {.tv_nsec = 100000};

	*signal = 0;
	for (int i = 0; i < STOP_MS * 10; i++) {
		int status;
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);

		if (got < 0)
			return false;
		if (got == tid && !WIFSTOPPED(status))
			return false;
		if (got == tid) {
			if (status >> 16 == PTRACE_EVENT_STOP)
				return WSTOPSIG(status) == SIGTRAP;
			*signal = WSTOPSIG(status);
			return false;
		}
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool is_there(const struct plan *plan, pid_t tid)
{
	return syscall(SYS_tgkill, plan->target->pid, tid, 0) == 0;
}

/* Return: 0: it is on its way; -EAGAIN: not here; -EBUSY: it does not stop, and stays
 * seized until this process ends; others: of ptrace. */
static int try_thread(struct plan *plan, pid_t tid)
{
	struct user_regs_struct regs;
	struct ftsan_stop stop;
	int error = -EAGAIN, signal = 0;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0)
		return errno == ESRCH ? -EAGAIN : -errno;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0 &&
	    wait_for_stop(tid, &signal) &&
	    ptrace(PTRACE_GETREGS, tid, NULL, &regs) == 0 &&
	    regs.cs == USER_CODE_SEGMENT) {
		stop = describe(plan, tid, &regs);
		if (ftsan_inject_may(&stop))
			error = send(plan, tid, &regs);
	}
	/* ESRCH says that it has ended, or that it runs. */
	if (ptrace(PTRACE_DETACH, tid, NULL, (void *)(long)signal) != 0 &&
	    error == -EAGAIN && is_there(plan, tid))
		error = -EBUSY;
	return error;
}

/* --- all of them -------------------------------------------------------------------- */

/* A thread that is about to end is refused with EPERM, like those of a process that may
 * not be traced at all. */
static int verdict(unsigned n_refused, unsigned n_looked_at, bool busy)
{
	if (busy)
		return -EBUSY;
	return n_refused > 0 && n_looked_at == 0 ? -EPERM : -EAGAIN;
}

static int try_threads(struct plan *plan)
{
	char path[64];
	const struct dirent *entry;
	unsigned n_refused = 0, n_looked_at = 0;
	int error = -EAGAIN;
	bool busy = false;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)plan->target->pid);
	tasks = opendir(path);
	if (tasks == NULL)
		return -ESRCH;
	while ((error == -EAGAIN || error == -EPERM || error == -EBUSY) &&
	       (entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		error = try_thread(plan, atoi(entry->d_name));
		n_refused += error == -EPERM;
		n_looked_at += error == -EAGAIN;
		busy |= error == -EBUSY;
	}
	closedir(tasks);
	return error == -EAGAIN || error == -EPERM || error == -EBUSY
		       ? verdict(n_refused, n_looked_at, busy)
		       : error;
}

static int look_for_thread(struct plan *plan, double end)
{
	int error;

	do {
		error = try_threads(plan);
		if (error == -EAGAIN)
			usleep(PAUSE_US);
	} while (error == -EAGAIN && ftsan_seconds() < end);
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

static bool copy(char *to, size_t room, const char *from)
{
	return snprintf(to, room, "%s", from) < (int)room;
}

static uint64_t libc_symbol(const struct ftsan_target *target, const char *name)
{
	uint64_t address = ftsan_target_symbol(target, "libc.so.", name);

	/* Before glibc 2.34 they were in a library of their own. */
	return address != 0 ? address : ftsan_target_symbol(target, "libdl.so.", name);
}

static uint64_t xstate_bytes(void)
{
	unsigned a, b, c, d;

	/* Bit 27 of leaf 1's ecx: the system uses XSAVE. */
	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || !(c >> 27 & 1) ||
	    __get_cpuid_count(0xd, 0, &a, &b, &c, &d) == 0)
		return 0;
	return b + 64;
}

static int make_plan(struct plan *plan, const struct ftsan_target *target,
		     const struct ftsan_call *call)
{
	struct ftsan_block *block = &plan->block;

	memset(plan, 0, sizeof(*plan));
	plan->target = target;
	plan->cave = ftsan_target_cave(
		target, (size_t)(ftsan_inject_code_end - ftsan_inject_code));
	block->dlopen = libc_symbol(target, "dlopen");
	block->dlsym = libc_symbol(target, "dlsym");
	block->dlerror = libc_symbol(target, "dlerror");
	block->errno_location = libc_symbol(target, "__errno_location");
	block->xstate_bytes = xstate_bytes();
	memcpy(block->prefix, "failed: ", sizeof(block->prefix));
	if (block->dlopen == 0 || block->dlsym == 0 || block->dlerror == 0 ||
	    block->errno_location == 0) {
		ftsan_error("can't attach to %d: there is no glibc in it",
			    (int)target->pid);
		return -ENOEXEC;
	}
	if (plan->cave == 0 || block->xstate_bytes == 0) {
		ftsan_error("can't attach to %d: there is no room for code in it, or the "
			    "processor has no XSAVE",
			    (int)target->pid);
		return -ENOEXEC;
	}
	if (!copy(block->library, sizeof(block->library), call->library) ||
	    !copy(block->function, sizeof(block->function), call->function) ||
	    !copy(block->request, sizeof(block->request), call->request) ||
	    !copy(block->status, sizeof(block->status), call->status)) {
		ftsan_error("%s: the name is too long", call->library);
		return -ENAMETOOLONG;
	}
	return 0;
}

static void complain(const struct ftsan_target *target, int error)
{
	if (error == -ETIMEDOUT)
		ftsan_error("can't attach to %d: no thread of it came to a point where "
			    "that is safe (each is inside of a library that is none of "
			    "CPython's, is stopped, blocks signals, or has little stack "
			    "left); try again",
			    (int)target->pid);
	else if (error == -EBUSY)
		ftsan_error("can't attach to %d: one of its threads waits in the kernel "
			    "and does not stop; try again",
			    (int)target->pid);
	else
		ftsan_error("can't attach to %d: %s", (int)target->pid, strerror(-error));
}

/* A process of its own: a thread that does not stop is let go when its tracer ends. */
static int look_in_child(struct plan *plan, double end)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(-look_for_thread(plan, end) & 0xff);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child < 0 ? -errno : WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int ftsan_inject(const struct ftsan_target *target, const struct ftsan_call *call,
		 unsigned seconds)
{
	static struct plan plan;
	int error = make_plan(&plan, target, call);
	double end = ftsan_seconds() + seconds;

	if (error != 0)
		return error;
	while ((error = look_in_child(&plan, end)) == -EBUSY && ftsan_seconds() < end)
		usleep(PAUSE_US);
	if (error != 0)
		complain(target, error);
	return error;
}
