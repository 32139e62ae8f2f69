#include "process/scout.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "process/thread_count.h"
#include "runtime/runtime.h"

enum {
	/* Enough for one signal frame with every CPU extension on top of a tick. */
	STACK_BYTES = 256 * 1024,
	LOCK_WAIT_NS = 500000000,
	STOP_WAIT_NS = 500000000,
	POLL_NS = 20000,
};

/* Guards starting and stopping; held from pause to resume. */
static struct ftsan_lock scout_lock;
static bool paused;
static _Atomic bool forbidden;

static _Atomic uint32_t stopping;
/* Kernel thread id; 0: none runs, STARTING: it has not said its own yet. */
static _Atomic int scout_tid;
enum { STARTING = -1 };

static void *scout(void *argument)
{
	uint64_t period = (uint64_t)ftsan_preload_options()->scout_us * 1000;
	uint32_t pace = 1;
	uint64_t next = ftsan_sys_now_ns() + period;

	prctl(PR_SET_NAME, "ftsan-scout");
	atomic_store(&scout_tid, ftsan_sys_gettid());
	ftsan_runtime_scout(true);
	while (!atomic_load(&stopping)) {
		uint64_t now;

		ftsan_sys_futex_wait(&stopping, 0, next);
		if (atomic_load(&stopping))
			break;
		ftsan_runtime_tick(pace);
		pace = ftsan_runtime_pace();
		now = ftsan_sys_now_ns();
		next += pace * period;
		/* A period that was missed is not made up for. */
		if (next <= now)
			next = now + pace * period;
	}
	ftsan_runtime_scout(false);
	return argument;
}

/*
 * Detached, because joining is a cancellation point and does not wait for the kernel.
 * The signal set is made by libc, which leaves out the two that it needs itself:
 * setuid() waits until every thread has handled one of them.
 */
static int create(void)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	long minimum = sysconf(_SC_THREAD_STACK_MIN);
	int error;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr,
				  STACK_BYTES + (size_t)(minimum > 0 ? minimum : 0));
	FTSAN_REAL(pthread_sigmask)(SIG_SETMASK, &all, &before);
	error = FTSAN_REAL(pthread_create)(&thread, &attr, scout, NULL);
	FTSAN_REAL(pthread_sigmask)(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

static void start_locked(void)
{
	if (paused || atomic_load(&forbidden) || atomic_load(&scout_tid) != 0)
		return;
	atomic_store(&stopping, 0);
	atomic_store(&scout_tid, STARTING);
	if (create() != 0) {
		ftsan_count(left_out_scout);
		atomic_store(&scout_tid, 0);
	}
}

int ftsan_scout_tid(void)
{
	return atomic_load(&scout_tid);
}

void ftsan_scout_forbid(bool forbid)
{
	atomic_store(&forbidden, forbid);
}

void ftsan_scout_start(void)
{
	int error = errno;

	if (atomic_load_explicit(&scout_tid, memory_order_relaxed) == 0 &&
	    ftsan_lock_take(&scout_lock, LOCK_WAIT_NS)) {
		start_locked();
		ftsan_lock_drop(&scout_lock);
	}
	errno = error;
}

static bool gone(void)
{
	int tid = atomic_load(&scout_tid);

	return tid != STARTING && ftsan_sys_tgkill(ftsan_sys_getpid(), tid, 0) == -ESRCH;
}

static void stop_locked(void)
{
	uint64_t end = ftsan_sys_now_ns() + STOP_WAIT_NS;

	if (atomic_load(&scout_tid) == 0)
		return;
	atomic_store(&stopping, 1);
	ftsan_sys_futex_wake(&stopping);
	while (!gone()) {
		if (ftsan_sys_now_ns() >= end)
			return; /* it ends whenever it can, and stays noted until then */
		ftsan_sys_sleep(POLL_NS);
	}
	atomic_store(&scout_tid, 0);
}

void ftsan_scout_stop(void)
{
	int error = errno;

	if (ftsan_lock_take(&scout_lock, LOCK_WAIT_NS)) {
		stop_locked();
		ftsan_lock_drop(&scout_lock);
	}
	errno = error;
}

void ftsan_scout_pause(void)
{
	int error = errno;

	if (ftsan_lock_take(&scout_lock, LOCK_WAIT_NS)) {
		paused = true;
		stop_locked();
	}
	errno = error;
}

void ftsan_scout_resume(void)
{
	int error = errno;

	if (paused && atomic_load(&scout_lock.owner) == (uint32_t)ftsan_sys_gettid()) {
		paused = scout_lock.depth > 1;
		if (ftsan_thread_count() > 1)
			start_locked();
		ftsan_lock_drop(&scout_lock);
	}
	errno = error;
}

void ftsan_scout_fork_child(uint32_t parent_tid)
{
	bool ours = atomic_load(&scout_lock.owner) == parent_tid;

	atomic_store(&scout_tid, 0);
	ftsan_lock_fork_child(&scout_lock, parent_tid);
	if (ours)
		ftsan_lock_drop(&scout_lock);
	paused = false;
}
