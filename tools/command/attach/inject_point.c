#include "attach/inject_point.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "attach/inject_registers.h"
#include "attach/kernel_errors.h"
#include "base/base.h"

enum { FUTEX_WAIT_BITSET_OP = 9, FUTEX_OP_BITS = 0x7f };

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
		return stop->result == -FTSAN_RESTARTSYS;
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

/* An interpreter that brings a malloc of its own may be in that. */
static bool is_pythons(const struct ftsan_target *target, uint64_t ip)
{
	const struct ftsan_mapping *mapping = ftsan_target_mapping(target, ip);

	if (mapping == NULL || !mapping->executable)
		return false;
	return ftsan_path_is_stdlib(mapping->path) || ftsan_path_has_tag(mapping->path) ||
	       (strcmp(mapping->path, target->python) == 0 && !target->has_malloc);
}

/*
 * The main thread's stack grows by itself, up to its limit.
 *
 * glibc keeps what the thread pointer points at on top of a thread's stack: where that is
 * not, the thread is on another one (a signal's, a fiber's), and what lies below that is
 * not known. A stack that is younger than the list of mappings counts as none.
 */
static uint64_t stack_room(const struct ftsan_target *target,
			   const struct ftsan_thread_state *thread)
{
	const struct ftsan_mapping *mapping = ftsan_target_mapping(target, thread->sp);

	if (mapping == NULL)
		return 0;
	if (strcmp(mapping->path, "[stack]") == 0) {
		uint64_t used = mapping->end - thread->sp;
		uint64_t limit = ftsan_target_stack_limit(target);

		return limit > used ? limit - used : 0;
	}
	return thread->descriptor > thread->sp && thread->descriptor < mapping->end
		       ? thread->sp - mapping->begin
		       : 0;
}

struct ftsan_stop ftsan_inject_describe(const struct ftsan_target *target, pid_t tid,
					const struct user_regs_struct *regs)
{
	struct ftsan_thread_state thread = ftsan_registers_state(regs);
	struct ftsan_stop stop = {
		.in_syscall = thread.in_syscall,
		.number = thread.number,
		.result = thread.result,
		.second = thread.second,
		.in_python = is_pythons(target, thread.ip),
		.stack_room = stack_room(target, &thread),
		.blocked = ~UINT64_C(0),
	};

	if (ptrace(PTRACE_GETSIGMASK, tid, sizeof(stop.blocked), &stop.blocked) != 0)
		stop.blocked = ~UINT64_C(0);
	return stop;
}
