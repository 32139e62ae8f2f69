#include "process/hook_thread.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "process/altstack.h"
#include "process/scout.h"
#include "process/signal_bits.h"
#include "process/signal_deliver.h"
#include "process/thread_count.h"
#include "runtime/runtime.h"
#include "statics/statics.h"

/* struct start - what a new thread has to know; lies at the low end of its own
 * alternate stack, so that starting a thread allocates nothing else, or on the heap when
 * there is no memory for a @stack */
struct start {
	void *(*routine)(void *);
	void *argument;
	uint64_t blocked;
	void *stack;
	size_t stack_bytes;
	bool counted;
};

static pthread_key_t end_key;
static bool has_key; /* it stays over a detach: threads end later */

/*
 * The last thing that a thread runs of its own. Destructors of the program's keys may
 * still use guarded memory, so ours asks to be called again until the last round.
 */
static void on_end(void *round)
{
	uintptr_t n = (uintptr_t)round;

	if (n < PTHREAD_DESTRUCTOR_ITERATIONS &&
	    pthread_setspecific(end_key, (void *)(n + 1)) == 0)
		return;
	ftsan_runtime_thread_end();
	ftsan_altstack_leave();
	/* libc ends the process with its last thread, and must not count the scout. */
	if (ftsan_thread_count_add(-1) == 0)
		ftsan_scout_stop();
}

int ftsan_thread_start(void)
{
	int error = has_key ? 0 : pthread_key_create(&end_key, on_end);
	void *stack;

	if (error != 0)
		return -error;
	has_key = true;
	pthread_setspecific(end_key, (void *)1);
	stack = ftsan_altstack_map();
	if (!stack)
		return -ENOMEM;
	ftsan_altstack_enter(stack, true);
	return 0;
}

int ftsan_thread_start_attached(unsigned n)
{
	ftsan_thread_count_set(n + 1);
	return ftsan_thread_start();
}

/*
 * glibc's first 32 keys have their places in the thread's own descriptor; with a later
 * one it would call calloc, and the thread ends without on_end() and stays counted.
 */
void ftsan_thread_adopt(void)
{
	if (end_key < 32)
		pthread_setspecific(end_key, (void *)1);
}

void ftsan_thread_stop(void)
{
	ftsan_altstack_leave();
	pthread_key_delete(end_key);
	has_key = false;
}

static size_t default_stack_bytes(void)
{
	static _Atomic size_t known;
	pthread_attr_t attr;
	size_t bytes = atomic_load_explicit(&known, memory_order_relaxed);

	if (bytes == 0 && pthread_getattr_default_np(&attr) == 0) {
		(void)pthread_attr_getstacksize(&attr, &bytes);
		pthread_attr_destroy(&attr);
		atomic_store_explicit(&known, bytes, memory_order_relaxed);
	}
	return bytes;
}

static size_t stack_bytes_of(const pthread_attr_t *attr)
{
	size_t bytes = 0;

	if (!attr || pthread_attr_getstacksize(attr, &bytes) != 0)
		return default_stack_bytes();
	return bytes;
}

/* From the first frame down: what libc keeps of the thread lies above. */
static void begin_detector(const void *first_frame, size_t stack_bytes, bool counted)
{
	uintptr_t end = ((uintptr_t)first_frame + FTSAN_PAGE) & ~(FTSAN_PAGE - 1);
	struct ftsan_thread_start known = {
		.counted = counted,
		.stack_begin = stack_bytes < end ? end - stack_bytes : 0,
		.stack_end = end,
	};

	ftsan_runtime_thread_begin(&known);
}

void ftsan_thread_begin_first(void)
{
	begin_detector(__libc_stack_end, default_stack_bytes(), false);
}

/* A mask given by pthread_attr_setsigmask_np() may block what must not be blocked. */
static void begin_mask(uint64_t blocked)
{
	uint64_t bits = FTSAN_SIG_OWNED, before = 0;

	ftsan_sys_sigmask(SIG_UNBLOCK, &bits, &before);
	ftsan_signal_set_blocked((blocked | before) & FTSAN_SIG_OWNED);
}

static void *run(void *argument)
{
	struct start start = *(struct start *)argument;

	if (!start.stack)
		free(argument);
	ftsan_altstack_enter(start.stack, false);
	begin_mask(start.blocked);
	pthread_setspecific(end_key, (void *)1);
	begin_detector(__builtin_frame_address(0), start.stack_bytes, start.counted);
	return start.routine(start.argument);
}

/* A program that can have its thread gets it, even if ours is the one that can't be had.
 */
static struct start *make_start(const pthread_attr_t *attr, void *(*routine)(void *),
				void *argument)
{
	void *stack = ftsan_altstack_map();
	struct start *start = stack ? stack : malloc(sizeof(*start));

	if (!start)
		return NULL;
	if (!stack)
		ftsan_count(left_out_stacks);
	*start = (struct start){
		.routine = routine,
		.argument = argument,
		.blocked = ftsan_signal_blocked(),
		.stack = stack,
		.stack_bytes = stack_bytes_of(attr),
		.counted = ftsan_runtime_thread_coming((uintptr_t)routine),
	};
	return start;
}

static void drop_start(struct start *start)
{
	ftsan_runtime_thread_failed(start->counted);
	if (start->stack)
		ftsan_altstack_unmap(start->stack);
	else
		free(start);
}

/* A stack in a static: the kernel writes to the thread's own block there (rseq, its
 * number at its end), and ends the process if it can't. */
static void keep_stack_open(const pthread_attr_t *attr)
{
	size_t size_bytes;
	void *begin;

	if (attr != NULL && pthread_attr_getstack(attr, &begin, &size_bytes) == 0 &&
	    ftsan_statics_near((uintptr_t)begin))
		ftsan_statics_leave_open((uintptr_t)begin, size_bytes);
}

int ftsan_hook_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			      void *(*routine)(void *), void *argument)
{
	struct start *start;
	int error;

	if (!ftsan_preload_own())
		return FTSAN_REAL(pthread_create)(thread, attr, routine, argument);
	start = make_start(attr, routine, argument);
	if (!start)
		return EAGAIN;
	keep_stack_open(attr);
	(void)ftsan_thread_count_add(1);
	error = FTSAN_REAL(pthread_create)(thread, attr, run, start);
	if (error != 0) {
		(void)ftsan_thread_count_add(-1);
		drop_start(start);
		return error;
	}
	ftsan_scout_start();
	return 0;
}
