#include "stacks/stack.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <ucontext.h>

#include "base/base.h"

/* Frames of libftsan that may lie between the program's and are dropped. */
#define OWN_FRAMES 8
/* An unwind takes microseconds; a thread that is inside for longer is stopped. */
#define FORK_WAIT_NS 200000000u

/* Written at start-up, before the first capture. */
static const struct ftsan_unwinder *unwinder;
static ftsan_python_walk_fn python_walk;
static uintptr_t own_begin, own_end;

static FTSAN_TLS bool walking;

/* Both sequentially consistent: whoever enters shows up in `inside` or sees the gate. */
static _Atomic unsigned inside;
static _Atomic bool gate_shut;
/* The process that shut the gate, and whether everybody had left by the time of the
 * fork; the forking thread's only. */
static int fork_pid;
static bool fork_drained;

void ftsan_stack_set_unwinder(const struct ftsan_unwinder *chosen)
{
	unwinder = chosen;
}

void ftsan_stack_set_python(ftsan_python_walk_fn walk)
{
	python_walk = walk;
}

void ftsan_stack_set_own_range(uintptr_t begin, uintptr_t end)
{
	own_begin = begin;
	own_end = end;
}

bool ftsan_stack_walking(void)
{
	return walking;
}

void ftsan_stack_give_up(void)
{
	const volatile char *const volatile nowhere = NULL;

	for (;;)
		(void)*nowhere;
}

/* What the walk itself may raise has to come through. */
static uint64_t asynchronous(void)
{
	return ~(1ull << (SIGSEGV - 1) | 1ull << (SIGTRAP - 1) | 1ull << (SIGBUS - 1) |
		 1ull << (SIGILL - 1) | 1ull << (SIGFPE - 1));
}

/*
 * The unwinder takes locks, and a signal handler that unwinds must not find them taken by
 * its own thread: so signals wait. libunwind does that around each of its locks, twice a
 * frame; once for the whole walk costs a fraction (preload/elf/unwind_calls.c).
 */
static unsigned walk_blocked(const void *ucontext, uintptr_t *pc, unsigned max)
{
	uint64_t set = asynchronous(), before = 0;
	unsigned count;

	if (ftsan_sys_sigmask(SIG_BLOCK, &set, &before) != 0)
		return unwinder->walk(ucontext, pc, max);
	walking = true;
	count = unwinder->walk(ucontext, pc, max);
	walking = false;
	(void)ftsan_sys_sigmask(SIG_SETMASK, &before, NULL);
	return count;
}

static unsigned walk_gated(const void *ucontext, uintptr_t *pc, unsigned max)
{
	unsigned count = 0;

	if (unwinder == NULL)
		return 0;
	atomic_fetch_add(&inside, 1);
	if (!atomic_load(&gate_shut))
		count = walk_blocked(ucontext, pc, max);
	atomic_fetch_sub(&inside, 1);
	return count;
}

static void capture_native(struct ftsan_stack *out, const void *ucontext, unsigned skip,
			   unsigned max)
{
	uintptr_t pc[FTSAN_NATIVE_MAX + OWN_FRAMES];
	unsigned count = walk_gated(ucontext, pc, max + OWN_FRAMES);

	out->truncated = count == max + OWN_FRAMES;
	for (unsigned i = skip; i < count; i++) {
		/* A return address may be the first byte behind the calling function. */
		uintptr_t at = i == 0 ? pc[i] : pc[i] - 1;

		if (at >= own_begin && at < own_end)
			continue;
		if (out->n_native == max) {
			out->truncated = true;
			return;
		}
		out->pc[out->n_native] = out->n_native == 0 ? at : pc[i];
		out->n_native++;
	}
}

static void capture(struct ftsan_stack *out, const void *ucontext, unsigned skip,
		    unsigned native, unsigned python)
{
	/* libunwind asks the kernel about doubtful addresses, through libc. */
	int saved_errno = errno;
	bool more = false;

	out->n_native = 0;
	out->n_python = 0;
	out->truncated = false;
	capture_native(out, ucontext, skip, native);
	if (python_walk != NULL)
		out->n_python = (uint16_t)python_walk(out->python, python, &more);
	if (more)
		out->truncated = true;
	errno = saved_errno;
}

void ftsan_stack_capture(struct ftsan_stack *out, const void *ucontext)
{
	capture(out, ucontext, 0, FTSAN_NATIVE_MAX, FTSAN_PYFRAME_MAX);
}

/* Not inlined: the first program counter is this function's own, and is skipped. */
FTSAN_NOINLINE void ftsan_stack_capture_here(struct ftsan_stack *out)
{
	ucontext_t here = {0};

	ftsan_context_here(&here);
	capture(out, &here, 1, FTSAN_NATIVE_MAX, FTSAN_PYFRAME_MAX);
}

FTSAN_NOINLINE void ftsan_stack_capture_top(struct ftsan_stack *out, unsigned native,
					    unsigned python)
{
	ucontext_t here = {0};

	ftsan_context_here(&here);
	capture(out, &here, 1, native < FTSAN_NATIVE_MAX ? native : FTSAN_NATIVE_MAX,
		python < FTSAN_PYFRAME_MAX ? python : FTSAN_PYFRAME_MAX);
}

void ftsan_stack_fork_prepare(void)
{
	uint64_t deadline = ftsan_sys_now_ns() + FORK_WAIT_NS;

	fork_pid = ftsan_sys_getpid();
	atomic_store(&gate_shut, true);
	while (atomic_load(&inside) != 0 && ftsan_sys_now_ns() < deadline)
		ftsan_sys_yield();
	/* Those who come now add themselves, see the gate and take no lock. */
	fork_drained = atomic_load(&inside) == 0;
}

void ftsan_stack_fork_done(void)
{
	if (ftsan_sys_getpid() != fork_pid) {
		/* In the child nobody is left to leave: locks that were held stay held.
		 */
		if (!fork_drained)
			return;
		atomic_store(&inside, 0);
	}
	atomic_store(&gate_shut, false);
}

static unsigned put_python(struct ftsan_frame *out, const struct ftsan_pyframe *frame)
{
	*out = (struct ftsan_frame){.python = true, .frame = frame};
	return 1;
}

/* put_entered() - the Python frames that one activation of the loop ran */
static unsigned put_entered(const struct ftsan_stack *stack, unsigned *next,
			    struct ftsan_frame *out)
{
	unsigned count = 0;

	while (*next < stack->n_python) {
		const struct ftsan_pyframe *frame = &stack->python[(*next)++];

		count += put_python(&out[count], frame);
		if (frame->entry)
			break;
	}
	return count;
}

unsigned ftsan_stack_weave(const struct ftsan_stack *stack, ftsan_is_eval_fn is_eval,
			   struct ftsan_frame *out)
{
	unsigned count = 0, next = 0;

	for (unsigned i = 0; i < stack->n_native; i++) {
		uintptr_t pc = i == 0 ? stack->pc[0] : stack->pc[i] - 1;
		enum ftsan_eval kind = FTSAN_EVAL_NONE;

		if (is_eval != NULL && next < stack->n_python)
			kind = is_eval(pc);
		if (kind == FTSAN_EVAL_LOOP)
			count += put_entered(stack, &next, &out[count]);
		else if (kind == FTSAN_EVAL_NONE)
			out[count++] = (struct ftsan_frame){.pc = pc};
	}
	while (next < stack->n_python)
		count += put_python(&out[count], &stack->python[next++]);
	return count;
}
