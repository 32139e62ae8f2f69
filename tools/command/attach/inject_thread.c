#include "attach/inject_thread.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attach/inject_point.h"
#include "attach/inject_registers.h"

enum { STOP_MS = 500 };

/* Of a process that has ended, nothing is written, and that is no error of the call's. */
static int write_memory(const struct ftsan_inject_plan *plan, uint64_t address,
			const void *from, size_t size)
{
	ssize_t n = pwrite(plan->target->memory, from, size, (off_t)address);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -ESRCH;
}

/* The last step is the one that counts, and it is one call. */
static int send(struct ftsan_inject_plan *plan, pid_t tid, struct user_regs_struct *regs)
{
	size_t code = (size_t)(ftsan_inject_code_end - ftsan_inject_code);
	uint64_t block =
		ftsan_registers_state(regs).sp - FTSAN_RED_ZONE - sizeof(plan->block);
	int error;

	ftsan_registers_restart(regs);
	plan->block.saved = ftsan_registers_save(regs);
	error = write_memory(plan, plan->cave, ftsan_inject_code, code);
	if (error == 0)
		error = write_memory(plan, block, &plan->block, sizeof(plan->block));
	if (error != 0)
		return error;
	ftsan_registers_divert(regs, plan->cave, block);
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

static bool is_there(const struct ftsan_inject_plan *plan, pid_t tid)
{
	return syscall(SYS_tgkill, plan->target->pid, tid, 0) == 0;
}

int ftsan_inject_thread(struct ftsan_inject_plan *plan, pid_t tid)
{
	struct user_regs_struct regs;
	struct ftsan_stop stop;
	int error = -EAGAIN, signal = 0;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0)
		return errno == ESRCH ? -EAGAIN : -errno;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0 &&
	    wait_for_stop(tid, &signal) &&
	    ptrace(PTRACE_GETREGS, tid, NULL, &regs) == 0 &&
	    ftsan_registers_state(&regs).native) {
		stop = ftsan_inject_describe(plan->target, tid, &regs);
		if (ftsan_inject_may(&stop))
			error = send(plan, tid, &regs);
	}
	/* ESRCH says that it has ended, or that it runs. */
	if (ptrace(PTRACE_DETACH, tid, NULL, (void *)(long)signal) != 0 &&
	    error == -EAGAIN && is_there(plan, tid))
		error = -EBUSY;
	return error;
}
