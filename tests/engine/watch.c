/*
 * Hardware watchpoints against the real kernel and processor.
 *
 *   watch              they work; 77 where the kernel refuses them
 *   watch --refused S  they are refused, and the engine's name says S: nothing is armed,
 *                      and nothing breaks
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "base/base.h"
#include "support/expect.h"
#include "support/handle.h"
#include "threads/threads.h"
#include "words/words.h"
#include "words/words_thread.h"

enum { SKIPPED = 77, OBJECT = 0x1000, TAG = 7 };

static volatile uint64_t words[8] __attribute__((aligned(64)));
static _Atomic int hits, others_signals;
static __thread struct ftsan_watchpoint last;
static __thread uint64_t value_at_hit;

static void on_hit(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		   void *ucontext)
{
	EXPECT(thread == ftsan_thread_self() && ucontext != NULL);
	last = *point;
	EXPECT(ftsan_watch_read(point, &value_at_hit));
	atomic_fetch_add(&hits, 1);
}

static void on_trap(int signal, siginfo_t *info, void *uc)
{
	(void)signal;
	if (!ftsan_watch_trap(info, uc))
		atomic_fetch_add(&others_signals, 1);
}

static struct ftsan_watchpoint point_of(unsigned word, bool reads)
{
	return (struct ftsan_watchpoint){.address = (uintptr_t)&words[word],
					 .object = OBJECT + word,
					 .tag = TAG + word,
					 .length = 8,
					 .reads = reads};
}

/* Words from @first on; how many are armed. */
static unsigned arm(unsigned first, unsigned n)
{
	struct ftsan_watchpoint points[8];

	for (unsigned i = 0; i < n; i++)
		points[i] = point_of(first + i, false);
	return ftsan_watch_arm(ftsan_thread_self(), points, n);
}

static unsigned arm_one(struct ftsan_watchpoint point)
{
	return ftsan_watch_arm(ftsan_thread_self(), &point, 1);
}

static void disarm(void)
{
	ftsan_watch_disarm(ftsan_thread_self());
}

static int new_hits(void)
{
	return atomic_exchange(&hits, 0);
}

static uint64_t new_stale(void)
{
	return atomic_exchange(&ftsan_counters.watch_stale, 0);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* --- what is seen ----------------------------------------------------------------- */

static void a_store_hits(void)
{
	words[0] = 5;
	EXPECT(arm(0, 1) == 1);
	EXPECT(ftsan_watch_holds(ftsan_thread_self(), (uintptr_t)&words[0]));
	words[0] = 6;
	EXPECT(new_hits() == 1);
	EXPECT(last.address == (uintptr_t)&words[0] && last.object == OBJECT);
	EXPECT(last.tag == TAG && last.value == 5 && value_at_hit == 6);
	words[0] = 7;
	EXPECT(new_hits() == 1 && last.value == 6 && value_at_hit == 7);
}

static void nothing_else_hits(void)
{
	EXPECT(arm(1, 1) == 1);
	EXPECT(words[1] + words[0] < 100);
	words[0] = words[2] = 1;
	EXPECT(new_hits() == 0 && new_stale() == 0);
	disarm();
	EXPECT(!ftsan_watch_holds(ftsan_thread_self(), (uintptr_t)&words[1]));
	words[1] = 1;
	EXPECT(new_hits() == 0 && new_stale() == 0);
}

static void loads_hit_where_asked(void)
{
	EXPECT(arm_one(point_of(0, true)) == 1);
	(void)words[0];
	EXPECT(new_hits() == 1 && last.reads);
	words[0] = 1;
	EXPECT(new_hits() == 1);
	EXPECT(arm_one(point_of(0, false)) == 1);
	(void)words[0];
	EXPECT(new_hits() == 0 && new_stale() == 0);
	words[0] = 1;
	EXPECT(new_hits() == 1);
}

static void every_length_is_exact(void)
{
	volatile unsigned char *bytes = (volatile unsigned char *)words;

	for (uint8_t length = 1; length <= 8; length *= 2) {
		struct ftsan_watchpoint point = {.address = (uintptr_t)bytes + 8,
						 .length = length};

		EXPECT(arm_one(point) == 1);
		bytes[7] = 1;
		bytes[8 + length] = 1;
		EXPECT(new_hits() == 0);
		bytes[8 + length - 1] = 1;
		EXPECT(new_hits() == 1);
	}
}

static void what_is_no_word_is_refused(void)
{
	struct ftsan_watchpoint crooked = {.address = (uintptr_t)words + 2, .length = 8};
	struct ftsan_watchpoint odd = {.address = (uintptr_t)words, .length = 3};
	struct ftsan_watchpoint absent = {.address = 64, .length = 8};

	EXPECT(arm_one(crooked) == 0 && arm_one(odd) == 0 && arm_one(absent) == 0);
	words[0] = 1;
	EXPECT(new_hits() == 0);
}

static void four_words_at_a_time(void)
{
	EXPECT(arm(0, 4) == 4);
	for (unsigned i = 0; i < 6; i++)
		words[i] = i;
	EXPECT(new_hits() == 4);
	EXPECT(arm(2, 5) == 4);
	for (unsigned i = 0; i < 8; i++)
		words[i] = i;
	EXPECT(new_hits() == 4 && last.tag == TAG + 5);
	EXPECT(arm(0, 0) == 0);
	words[0] = words[2] = words[5] = 1;
	EXPECT(new_hits() == 0 && new_stale() == 0);
}

static void a_set_that_stays_is_renewed(void)
{
	struct ftsan_watchpoint point = point_of(0, false);
	int before;

	EXPECT(arm_one(point) == 1);
	before = open_descriptors();
	disarm();
	words[0] = 41;
	for (int i = 0; i < 20; i++) {
		point.tag = (uint32_t)i;
		EXPECT(arm_one(point) == 1);
	}
	words[0] = 42;
	EXPECT(new_hits() == 1 && last.tag == 19 && last.value == 41);
	EXPECT(open_descriptors() == before);
}

static void parked_words_say_nothing(void)
{
	EXPECT(arm(0, 2) == 2);
	ftsan_watch_park(ftsan_thread_self());
	EXPECT(!ftsan_watch_holds(ftsan_thread_self(), (uintptr_t)&words[0]));
	words[0] = 1;
	EXPECT(new_hits() == 0 && new_stale() == 1);
	words[0] = 2; /* nobody asks, so it was rested */
	EXPECT(new_hits() == 0 && new_stale() == 0);
	EXPECT(arm(0, 2) == 2);
	words[0] = words[1] = 3;
	EXPECT(new_hits() == 2);
}

static void a_loop_of_stores_is_cut_short(void)
{
	EXPECT(arm(0, 1) == 1);
	for (uint64_t i = 0; i < 1000; i++)
		words[0] = i;
	EXPECT(new_hits() == FTSAN_WATCH_HITS && new_stale() == 0);
	EXPECT(arm(0, 1) == 1);
	words[0] = 1;
	EXPECT(new_hits() == 1);
}

static void time_is_counted(void)
{
	struct timespec pause = {.tv_nsec = 2000000};

	disarm();
	atomic_store(&ftsan_counters.watch_ns, 0);
	EXPECT(arm(0, 2) == 2);
	nanosleep(&pause, NULL);
	disarm();
	EXPECT(ftsan_counted(watch_ns) >= 2 * 2000000);
	atomic_store(&ftsan_counters.watch_ns, 0);
	nanosleep(&pause, NULL);
	disarm();
	EXPECT(ftsan_counted(watch_ns) == 0);
}

__attribute__((noinline)) static void own_store(uint64_t value)
{
	words[0] = value;
	__asm__ volatile("nop; nop");
}

static void own_accesses_are_none(void)
{
	uintptr_t begin = (uintptr_t)own_store;

	EXPECT(arm(0, 1) == 1);
	own_store(1);
	EXPECT(new_hits() == 1);
	ftsan_watch_set_own_text(begin, begin + 64);
	own_store(2);
	EXPECT(new_hits() == 0 && new_stale() == 1);
	ftsan_watch_set_own_text(0, 0);
	own_store(3);
	EXPECT(new_hits() == 1);
}

/* One instruction, two words, one signal: the kernel queues a single SIGTRAP. */
static void a_wide_store_hits_once(void)
{
	EXPECT(arm(0, 2) == 2);
	__asm__ volatile("movdqu %%xmm0, %0" : "=m"(*(char(*)[16])(uintptr_t)words));
	EXPECT(new_hits() >= 1);
}

static void kernel_writes_are_none(void)
{
	uint64_t value = 9;
	int ends[2];

	EXPECT(arm(0, 1) == 1 && pipe(ends) == 0);
	EXPECT(write(ends[1], &value, sizeof(value)) == sizeof(value));
	EXPECT(read(ends[0], (void *)(uintptr_t)words, sizeof(value)) == sizeof(value));
	EXPECT(words[0] == 9 && new_hits() == 0 && new_stale() == 0);
	close(ends[0]);
	close(ends[1]);
}

/* --- threads ---------------------------------------------------------------------- */

static pthread_barrier_t barrier;

static void *store_unarmed(void *argument)
{
	words[0] = 1;
	return argument;
}

static void *store_armed(void *argument)
{
	EXPECT(arm(0, 4) == 4);
	pthread_barrier_wait(&barrier);
	words[3] = 1;
	EXPECT(last.tag == TAG + 3);
	pthread_barrier_wait(&barrier);
	ftsan_watch_thread_end(ftsan_thread_self());
	ftsan_thread_release();
	return argument;
}

static void run_threads(void *(*fn)(void *), unsigned n)
{
	pthread_t threads[16];

	for (unsigned i = 0; i < n; i++)
		EXPECT(pthread_create(&threads[i], NULL, fn, NULL) == 0);
	for (unsigned i = 0; i < n; i++)
		EXPECT(pthread_join(threads[i], NULL) == 0);
}

static void each_thread_has_its_own(void)
{
	EXPECT(arm(0, 4) == 4);
	run_threads(store_unarmed, 1);
	EXPECT(new_hits() == 0 && new_stale() == 0);
	pthread_barrier_init(&barrier, NULL, 4);
	run_threads(store_armed, 4);
	EXPECT(new_hits() == 4 && new_stale() == 0);
	pthread_barrier_destroy(&barrier);
}

static void ended_threads_leave_nothing(void)
{
	int before = open_descriptors();

	pthread_barrier_init(&barrier, NULL, 8);
	for (int round = 0; round < 25; round++)
		run_threads(store_armed, 8);
	pthread_barrier_destroy(&barrier);
	EXPECT(new_hits() == 200 && open_descriptors() == before);
}

/* --- processes -------------------------------------------------------------------- */

static void child_after_fork(void)
{
	int inherited = open_descriptors();

	/* As a raw clone leaves it: no handler has run. */
	words[0] = 1;
	EXPECT(new_hits() == 0 && new_stale() == 0 && arm(0, 1) == 0);
	ftsan_watch_fork_child();
	ftsan_thread_records_fork_child();
	EXPECT(open_descriptors() == inherited - 4);
	words[0] = 1;
	EXPECT(new_hits() == 0);
	EXPECT(arm(1, 2) == 2);
	words[1] = words[2] = 1;
	EXPECT(new_hits() == 2);
	disarm();
}

static void a_child_has_its_own(void)
{
	EXPECT(arm(0, 4) == 4);
	EXPECT_SUCCESS(child_after_fork);
	for (unsigned i = 0; i < 4; i++)
		words[i] = 1;
	EXPECT(new_hits() == 4);
}

static void a_vfork_child_leaves_ours_alone(void)
{
	int status;
	pid_t pid;

	EXPECT(arm(0, 1) == 1);
	pid = vfork();
	if (pid == 0) {
		/* On the parent's stack and record. */
		unsigned armed = arm(1, 1);

		disarm();
		_exit(armed == 0 ? 0 : 1);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	words[0] = words[1] = 1;
	EXPECT(new_hits() == 1 && last.tag == TAG);
}

/* --- descriptors ------------------------------------------------------------------ */

static void close_all(void)
{
	EXPECT(syscall(SYS_close_range, 3, ~0u, 0) == 0);
}

static int number_of(unsigned slot)
{
	return ftsan_words_of(ftsan_thread_self())
		       ->watch.slots[slot]
		       .event.number_plus_1 -
	       1;
}

static void descriptors_are_opened_again_once(void)
{
	EXPECT(arm(0, 4) == 4);
	close_all();
	words[0] = 1;
	EXPECT(new_hits() == 0);
	EXPECT(arm(4, 4) == 4 && ftsan_counted(watch_lost) == 1);
	words[4] = words[7] = 1;
	EXPECT(new_hits() == 2);
	close_all();
	EXPECT(arm(0, 4) == 0 && ftsan_counted(watch_lost) == 2);
	words[0] = 1;
	EXPECT(arm(0, 4) == 0);
	EXPECT(new_hits() == 0 && ftsan_counted(watch_lost) == 2);
}

/* The set is never aimed again: that it is gone shows when it is looked at. */
static void a_set_that_stays_is_looked_after(void)
{
	unsigned calls = 0;

	EXPECT(arm(0, 4) == 4);
	close_all();
	while (ftsan_counted(watch_lost) == 0 && calls++ < 8)
		arm(0, 4);
	words[0] = words[3] = 1;
	EXPECT(new_hits() == 2);
}

static int foreign_event(volatile uint64_t *word, uint64_t data)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_BREAKPOINT,
				       .size = sizeof(attr),
				       .sample_period = 1,
				       .exclude_kernel = 1,
				       .exclude_hv = 1,
				       .sigtrap = 1,
				       .remove_on_exec = 1,
				       .bp_type = HW_BREAKPOINT_W,
				       .bp_addr = (uintptr_t)word,
				       .bp_len = 8,
				       .sig_data = data};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* A file of the program's, and an event of its own, at the numbers of ours. */
static void foreign_descriptors_are_left_alone(void)
{
	int ends[2], event, file_at, event_at;

	EXPECT(arm(0, 2) == 2 && pipe(ends) == 0);
	file_at = number_of(0);
	event_at = number_of(1);
	EXPECT(dup2(ends[1], file_at) == file_at);
	event = foreign_event(&words[6], 1);
	EXPECT(event >= 0 && dup2(event, event_at) == event_at);
	EXPECT(arm(2, 4) >= 3);
	disarm();
	words[6] = 1;
	EXPECT(atomic_exchange(&others_signals, 0) == 1 && new_hits() == 0);
	EXPECT(write(file_at, "x", 1) == 1);
	ftsan_watch_thread_end(ftsan_thread_self());
	EXPECT(fcntl(file_at, F_GETFD) >= 0 && fcntl(event_at, F_GETFD) >= 0);
}

static void foreign_signals_are_passed_on(void)
{
	int event = foreign_event(&words[5], UINT64_MAX);

	EXPECT(event >= 0 && arm(0, 1) == 1);
	words[5] = 1;
	EXPECT(atomic_exchange(&others_signals, 0) == 1 && new_hits() == 0);
	__asm__ volatile("int3");
	EXPECT(raise(SIGTRAP) == 0);
	EXPECT(atomic_exchange(&others_signals, 0) == 2 && new_stale() == 0);
	words[0] = 1;
	EXPECT(atomic_load(&others_signals) == 0 && new_hits() == 1);
	close(event);
}

static void registers_run_out(void)
{
	int events[3];

	for (int i = 0; i < 3; i++)
		EXPECT((events[i] = foreign_event(&words[7], 1)) >= 0);
	EXPECT(arm(0, 4) == 1);
	EXPECT(ftsan_counted(watch_left_out) > 0);
	words[0] = words[1] = 1;
	EXPECT(new_hits() == 1);
	EXPECT(foreign_event(&words[7], 1) == -1 && errno == ENOSPC);
	for (int i = 0; i < 3; i++)
		close(events[i]);
	/* The kernel is asked again, later. */
	for (int i = 0; i < 1100 && arm(0, 4) < 4; i++)
		;
	words[0] = words[1] = words[3] = 1;
	EXPECT(new_hits() == 3);
}

static void no_register_at_all(void)
{
	for (int i = 0; i < 4; i++)
		EXPECT(foreign_event(&words[7], 1) >= 0);
	EXPECT(ftsan_watch_init() == -ENOSPC && !ftsan_watch_active());
	EXPECT(strstr(ftsan_watch_name(), "all debug registers taken"));
	EXPECT(arm(0, 4) == 0);
}

static void *hold_four(void *armed)
{
	*(unsigned *)armed = arm(0, 4);
	pthread_barrier_wait(&barrier);
	ftsan_watch_thread_end(ftsan_thread_self());
	ftsan_thread_release();
	return NULL;
}

static void descriptors_are_the_programs(void)
{
	struct rlimit limit = {.rlim_cur = 64, .rlim_max = 64};
	pthread_t threads[4];
	unsigned armed[4], sum = 0;

	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0 && ftsan_watch_init() == 0);
	pthread_barrier_init(&barrier, NULL, 5);
	for (int i = 0; i < 4; i++)
		EXPECT(pthread_create(&threads[i], NULL, hold_four, &armed[i]) == 0);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		sum += armed[i];
	}
	EXPECT(sum == 64 / 8 && ftsan_counted(watch_left_out) > 0);
	limit.rlim_cur = 7;
	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0 && ftsan_watch_init() == -EMFILE);
}

/* --- signals ---------------------------------------------------------------------- */

static void block_traps(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	EXPECT(pthread_sigmask(how, &set, NULL) == 0);
}

static void a_late_signal_says_nothing(void)
{
	EXPECT(arm(0, 1) == 1);
	block_traps(SIG_BLOCK);
	words[0] = 1;
	words[0] = 2;
	EXPECT(new_hits() == 0);
	block_traps(SIG_UNBLOCK);
	EXPECT(new_hits() == 0 && new_stale() == 1);
	words[0] = 3;
	EXPECT(new_hits() == 1 && new_stale() == 0);
}

/* Armed anew between the access and its signal. */
static void a_late_signal_spares_the_next_set(void)
{
	EXPECT(arm(0, 1) == 1);
	block_traps(SIG_BLOCK);
	words[0] = 1;
	EXPECT(arm(1, 1) == 1);
	block_traps(SIG_UNBLOCK);
	EXPECT(new_hits() == 0 && new_stale() == 1);
	words[0] = 2;
	words[1] = 2;
	EXPECT(new_hits() == 1 && last.tag == TAG + 1 && new_stale() == 0);
}

static volatile sig_atomic_t user_signals;

static void on_user(int signal)
{
	(void)signal;
	words[0]++;
	user_signals++;
}

static void a_handlers_store_hits(void)
{
	signal(SIGUSR1, on_user);
	EXPECT(arm(0, 1) == 1);
	EXPECT(raise(SIGUSR1) == 0 && user_signals == 1);
	EXPECT(new_hits() == 1);
	signal(SIGUSR1, SIG_DFL);
}

/* The one signal that is pending already swallows the other: one of them arrives. */
static void a_stepped_store_harms_nobody(void)
{
	EXPECT(arm(0, 1) == 1);
	__asm__ volatile("pushf\n"
			 "orl $0x100, (%%rsp)\n"
			 "popf\n"
			 "movq $4, %0\n"
			 "pushf\n"
			 "andl $~0x100, (%%rsp)\n"
			 "popf\n"
			 : "=m"(words[0])
			 :
			 : "memory", "cc");
	EXPECT(atomic_exchange(&others_signals, 0) > 0 && words[0] == 4);
	(void)new_hits();
	words[0] = 5;
	EXPECT(new_hits() == 1);
}

static void too_many_hits_end_it(void)
{
	atomic_store(&ftsan_counters.watch_hits, 1000000);
	EXPECT(arm(0, 4) == 0 && ftsan_counted(watch_left_out) > 0);
	words[0] = 1;
	EXPECT(new_hits() == 0 && new_stale() == 0);
}

/* --- the two runs ----------------------------------------------------------------- */

static void expect_refused(const char *reason)
{
	int before = open_descriptors();

	EXPECT(ftsan_watch_init() < 0 && !ftsan_watch_active());
	printf("%s\n", ftsan_watch_name());
	EXPECT(strncmp(ftsan_watch_name(), "recheck; ", 9) == 0);
	EXPECT(strstr(ftsan_watch_name(), reason));
	EXPECT(arm(0, 4) == 0);
	words[0] = 1;
	ftsan_watch_park(ftsan_thread_self());
	disarm();
	ftsan_watch_thread_end(ftsan_thread_self());
	ftsan_watch_fork_child();
	EXPECT(new_hits() == 0 && open_descriptors() == before);
}

static void start(void)
{
	handle(SIGTRAP, on_trap);
	handle(SIGSEGV, on_fault);
	(void)ftsan_mem_init();
	EXPECT(strcmp(ftsan_watch_name(), "recheck; watch=0") == 0 &&
	       !ftsan_watch_active());
	EXPECT(arm(0, 1) == 0);
	ftsan_watch_set_handler(on_hit);
}

static void accesses(void)
{
	a_store_hits();
	nothing_else_hits();
	loads_hit_where_asked();
	every_length_is_exact();
	what_is_no_word_is_refused();
	four_words_at_a_time();
	a_set_that_stays_is_renewed();
	parked_words_say_nothing();
	a_loop_of_stores_is_cut_short();
	time_is_counted();
	own_accesses_are_none();
	a_wide_store_hits_once();
	kernel_writes_are_none();
}

/* Each in a child, as they leave things behind; the child takes itself for the parent. */
static void (*in_turn)(void);

static void as_a_process(void)
{
	ftsan_watch_fork_child();
	ftsan_thread_records_fork_child();
	ftsan_counters_reset();
	in_turn();
}

static void alone(void (*fn)(void))
{
	in_turn = fn;
	EXPECT_SUCCESS(as_a_process);
}

/* Does it work without the engine? Only then is there nothing to test. */
static bool program_can(void)
{
	int event = foreign_event(&words[0], 1);

	words[0] = 1;
	if (event >= 0)
		close(event);
	return atomic_exchange(&others_signals, 0) == 1;
}

int main(int argc, char **argv)
{
	int error;

	start();
	if (argc == 3 && strcmp(argv[1], "--refused") == 0) {
		expect_refused(argv[2]);
		return 0;
	}
	error = ftsan_watch_init();
	if (error != 0 && !program_can()) {
		printf("skipped: %s\n", ftsan_watch_name());
		return SKIPPED;
	}
	EXPECT(error == 0);
	EXPECT(strcmp(ftsan_watch_name(), "perf") == 0 && new_hits() == 0);
	alone(accesses);
	alone(each_thread_has_its_own);
	alone(ended_threads_leave_nothing);
	alone(a_child_has_its_own);
	alone(a_vfork_child_leaves_ours_alone);
	alone(descriptors_are_opened_again_once);
	alone(a_set_that_stays_is_looked_after);
	alone(foreign_descriptors_are_left_alone);
	alone(foreign_signals_are_passed_on);
	alone(registers_run_out);
	alone(no_register_at_all);
	alone(descriptors_are_the_programs);
	alone(a_late_signal_says_nothing);
	alone(a_late_signal_spares_the_next_set);
	alone(a_handlers_store_hits);
	alone(a_stepped_store_harms_nobody);
	alone(too_many_hits_end_it);
	printf("watchpoints work: %s\n", ftsan_watch_name());
	return 0;
}
