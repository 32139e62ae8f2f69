/* recheck: words that change while an operation uses them, and words that do not. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "findings/findings.h"
#include "pages/pages.h"
#include "threads/threads.h"
#include "words/words.h"
#include "words/words_thread.h"

enum { PERIOD_NS = 1000000, SPIN_NS = PERIOD_NS / 10 };

static volatile uint64_t words[16];
static struct ftsan_recheck_change last;
static int changes;
static _Atomic bool stop;

static void on_change(struct ftsan_thread *thread,
		      const struct ftsan_recheck_change *change)
{
	ck_assert_ptr_eq(thread, ftsan_thread_self());
	last = *change;
	changes++;
}

static void on_fault(int signal, siginfo_t *info, void *uc)
{
	(void)info;
	if (!ftsan_safe_read_fixup(uc))
		_exit(128 + signal);
}

static void setup(void)
{
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_NODEFER};

	ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
	ftsan_recheck_init(on_change);
	ck_assert_ptr_nonnull(ftsan_thread_self());
}

static unsigned begin(unsigned first, unsigned n)
{
	struct ftsan_watchpoint points[16];

	for (unsigned i = 0; i < n; i++)
		points[i] =
			(struct ftsan_watchpoint){.address = (uintptr_t)&words[first + i],
						  .tag = first + i,
						  .object = 0x1000 + first + i,
						  .length = 8};
	return ftsan_recheck_begin(ftsan_thread_self(), points, n);
}

static void end(unsigned handle)
{
	ftsan_recheck_end(ftsan_thread_self(), handle);
}

static int new_changes(void)
{
	int n = changes;

	changes = 0;
	return n;
}

START_TEST(what_stays_is_no_change)
{
	unsigned operation = begin(0, 3);

	ck_assert_uint_gt(operation, 0);
	words[3] = 9;
	words[0] = words[0];
	ftsan_recheck_scout(PERIOD_NS);
	end(operation);
	ck_assert_int_eq(new_changes(), 0);
	/* Changed before, and after. */
	words[0]++;
	end(begin(0, 3));
	words[0]++;
	end(begin(0, 3));
	ck_assert_int_eq(new_changes(), 0);
	ck_assert_uint_eq(ftsan_counted(recheck_changes), 0);
}
END_TEST

START_TEST(a_new_value_is_a_change)
{
	unsigned operation;

	words[1] = 5;
	operation = begin(0, 3);
	words[1] = 6;
	end(operation);
	ck_assert_int_eq(new_changes(), 1);
	ck_assert(last.lasting && last.point.value == 5 && last.seen == 6);
	ck_assert_uint_eq(last.point.tag, 1);
	ck_assert_uint_eq(last.point.object, 0x1001);
	operation = begin(0, 3);
	words[0]++;
	words[2]++;
	end(operation);
	ck_assert_int_eq(new_changes(), 2);
	ck_assert_uint_eq(ftsan_counted(recheck_changes), 3);
}
END_TEST

START_TEST(a_word_is_its_own_bytes)
{
	static volatile int32_t half[4];
	struct ftsan_watchpoint point = {.address = (uintptr_t)&half[1], .length = 4};
	unsigned operation = ftsan_recheck_begin(ftsan_thread_self(), &point, 1);

	half[0] = half[2] = 1;
	end(operation);
	ck_assert_int_eq(new_changes(), 0);
	operation = ftsan_recheck_begin(ftsan_thread_self(), &point, 1);
	half[1] = -1;
	end(operation);
	ck_assert_int_eq(new_changes(), 1);
	ck_assert_int_eq(ftsan_watch_shown(last.seen, 4), -1);
}
END_TEST

START_TEST(the_scout_sees_what_is_put_back)
{
	unsigned operation = begin(0, 3);

	words[2] += 10;
	ftsan_recheck_scout(PERIOD_NS);
	words[2] -= 10;
	end(operation);
	ck_assert_int_eq(new_changes(), 1);
	ck_assert(!last.lasting && last.seen == last.point.value + 10);
	ck_assert_uint_eq(last.point.tag, 2);
	/* Nobody looked in between. */
	operation = begin(0, 3);
	words[2] += 10;
	words[2] -= 10;
	end(operation);
	ck_assert_int_eq(new_changes(), 0);
}
END_TEST

START_TEST(a_note_dies_with_its_operation)
{
	unsigned operation = begin(0, 1);

	words[0]++;
	ftsan_recheck_scout(PERIOD_NS);
	end(operation);
	ck_assert_int_eq(new_changes(), 1);
	end(begin(0, 1));
	operation = begin(0, 1);
	ftsan_recheck_scout(PERIOD_NS);
	end(operation);
	ck_assert_int_eq(new_changes(), 0);
}
END_TEST

START_TEST(operations_nest)
{
	unsigned outer = begin(0, 2), inner = begin(1, 2);

	ck_assert_uint_ne(outer, inner);
	words[1]++;
	end(inner);
	ck_assert_int_eq(new_changes(), 1);
	words[2]++;
	words[0]++;
	end(outer);
	ck_assert_int_eq(new_changes(), 2); /* words 0 and 1 */
	ck_assert_uint_eq(last.point.tag, 1);
}
END_TEST

START_TEST(abandoned_operations_are_dropped)
{
	unsigned outer = begin(0, 1);

	(void)begin(1, 1);
	(void)begin(2, 1);
	words[1]++;
	words[2]++;
	end(outer);
	ck_assert_int_eq(new_changes(), 0);
	ck_assert_uint_eq(begin(0, 1), outer);
	ftsan_recheck_reset(ftsan_thread_self());
	words[0]++;
	end(outer);
	ck_assert_int_eq(new_changes(), 0);
}
END_TEST

START_TEST(what_does_not_fit_is_counted)
{
	unsigned handles[FTSAN_RECHECK_LEVELS];

	ck_assert_uint_eq(begin(0, 0), 0);
	for (unsigned i = 0; i < FTSAN_RECHECK_LEVELS; i++)
		ck_assert_uint_gt(handles[i] = begin(0, 1), 0);
	ck_assert_uint_eq(ftsan_counted(recheck_left_out), 0);
	ck_assert_uint_eq(begin(0, 1), 0);
	ck_assert_uint_eq(ftsan_counted(recheck_left_out), 1);
	words[0]++;
	end(0);
	ck_assert_int_eq(new_changes(), 0);
	for (unsigned i = FTSAN_RECHECK_LEVELS; i-- > 0;)
		end(handles[i]);
	ck_assert_int_eq(new_changes(), FTSAN_RECHECK_LEVELS);
	handles[0] = begin(0, FTSAN_RECHECK_WORDS + 1);
	ck_assert_uint_eq(ftsan_counted(recheck_left_out), 2);
	words[0]++;
	words[FTSAN_RECHECK_WORDS]++;
	end(handles[0]);
	ck_assert_int_eq(new_changes(), 1);
}
END_TEST

START_TEST(memory_may_go)
{
	uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ftsan_watchpoint point = {.address = (uintptr_t)page, .length = 8};
	unsigned operation = ftsan_recheck_begin(ftsan_thread_self(), &point, 1);

	ck_assert_int_eq(munmap(page, 4096), 0);
	ftsan_recheck_scout(PERIOD_NS);
	end(operation);
	ck_assert_int_eq(new_changes(), 0);
	end(ftsan_recheck_begin(ftsan_thread_self(), &point, 1));
	ck_assert_int_eq(new_changes(), 0);
}
END_TEST

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

START_TEST(the_scout_keeps_to_its_time)
{
	uint64_t before = cpu_ns(), idle, busy;
	unsigned operation;

	for (int i = 0; i < 20; i++)
		ftsan_recheck_scout(PERIOD_NS);
	idle = cpu_ns() - before;
	ck_assert_uint_lt(idle, 20 * SPIN_NS / 2);
	operation = begin(0, 3);
	before = cpu_ns();
	for (int i = 0; i < 20; i++)
		ftsan_recheck_scout(PERIOD_NS);
	busy = cpu_ns() - before;
	ck_assert_uint_lt(busy, 2 * 20 * SPIN_NS);
	before = cpu_ns();
	for (int i = 0; i < 20; i++)
		ftsan_recheck_scout(100 * (uint64_t)PERIOD_NS);
	ck_assert_uint_lt(cpu_ns() - before, 2 * 20 * SPIN_NS);
	end(operation);
}
END_TEST

static void *scout(void *unused)
{
	while (!atomic_load(&stop))
		ftsan_recheck_scout(PERIOD_NS);
	return unused;
}

static pthread_t start_scout(void)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, scout, NULL), 0);
	return thread;
}

static void stop_scout(pthread_t thread)
{
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

/* The word changes only between operations: whatever the scout sees, it is no change. */
START_TEST(operations_in_a_row_are_kept_apart)
{
	pthread_t thread = start_scout();
	uint64_t until = ftsan_sys_now_ns() + 300u * 1000 * 1000;

	for (unsigned i = 0; ftsan_sys_now_ns() < until; i++) {
		unsigned outer = begin(i % 8, 3), inner = begin(i % 5, 2);

		end(inner);
		end(outer);
		for (unsigned w = 0; w < 16; w++)
			words[w]++;
	}
	stop_scout(thread);
	ck_assert_int_eq(new_changes(), 0);
}
END_TEST

START_TEST(a_running_scout_sees_what_is_put_back)
{
	pthread_t thread = start_scout();
	uint64_t until = ftsan_sys_now_ns() + 10u * 1000 * UINT64_C(1000000);

	while (changes == 0 && ftsan_sys_now_ns() < until) {
		unsigned operation = begin(0, 3);

		words[1] += 5;
		for (volatile int i = 0; i < 1000; i++)
			;
		words[1] -= 5;
		end(operation);
	}
	stop_scout(thread);
	ck_assert_int_eq(new_changes(), 1);
	ck_assert(!last.lasting && last.seen == last.point.value + 5);
}
END_TEST

static void *use_own_memory(void *unused)
{
	while (!atomic_load(&stop)) {
		uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct ftsan_watchpoint point = {.address = (uintptr_t)page, .length = 8};
		unsigned operation;

		*page = (uintptr_t)page ^ (uint64_t)rand();
		operation = ftsan_recheck_begin(ftsan_thread_self(), &point, 1);
		end(operation);
		munmap(page, 4096);
	}
	ftsan_recheck_reset(ftsan_thread_self());
	ftsan_thread_release();
	return unused;
}

START_TEST(freed_memory_is_nobodys)
{
	pthread_t users[2], thread = start_scout();
	struct timespec pause = {.tv_nsec = 300000000};

	for (int i = 0; i < 2; i++)
		pthread_create(&users[i], NULL, use_own_memory, NULL);
	nanosleep(&pause, NULL);
	stop_scout(thread);
	for (int i = 0; i < 2; i++)
		pthread_join(users[i], NULL);
	ck_assert_int_eq(new_changes(), 0);
}
END_TEST

static bool log_has(const char *path, const char *text)
{
	static char line[1 << 16];
	FILE *file = fopen(path, "r");
	bool found = false;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file) != NULL)
		found |= strstr(line, "\"type\":\"finding\"") && strstr(line, text);
	fclose(file);
	return found;
}

START_TEST(a_change_is_reported)
{
	struct ftsan_recheck_change change = {
		.point = {.address = 0x1000, .value = 3, .length = 4},
		.seen = 0xfffffffe};
	struct ftsan_object object;
	struct ftsan_incident incident = {.kind = FTSAN_KIND_RACE, .object = &object};
	char path[64];

	snprintf(path, sizeof(path), "/tmp/test_recheck.%d.jsonl", (int)getpid());
	ck_assert_int_eq(ftsan_report_init(false, false, NULL, 0), 0);
	ck_assert_int_eq(ftsan_log_open(path, true), 0);
	ftsan_object_clear(&object);
	strcpy(object.description, "the flags of a numpy.ndarray");
	strcpy(object.name, "flags");
	ck_assert(ftsan_recheck_report(ftsan_thread_self(), &change, &incident));
	ck_assert(log_has(path, "value changed, unknown origin, on the flags of a"));
	ck_assert(log_has(path, "\"confidence\":\"probable\""));
	ck_assert(log_has(path, "\"old\":3"));
	ck_assert(log_has(path, "\"new\":-2"));
	ck_assert(log_has(path, "\"role\":\"call\""));
	ck_assert(log_has(path, "\"name\":\"flags\""));
	unlink(path);
}
END_TEST

static void add_words(TCase *tests)
{
	tcase_add_test(tests, what_stays_is_no_change);
	tcase_add_test(tests, a_new_value_is_a_change);
	tcase_add_test(tests, a_word_is_its_own_bytes);
	tcase_add_test(tests, operations_nest);
	tcase_add_test(tests, abandoned_operations_are_dropped);
	tcase_add_test(tests, what_does_not_fit_is_counted);
	tcase_add_test(tests, memory_may_go);
	tcase_add_test(tests, a_change_is_reported);
}

static void add_scout(TCase *tests)
{
	tcase_add_test(tests, the_scout_sees_what_is_put_back);
	tcase_add_test(tests, a_note_dies_with_its_operation);
	tcase_add_test(tests, the_scout_keeps_to_its_time);
	tcase_add_test(tests, operations_in_a_row_are_kept_apart);
	tcase_add_test(tests, a_running_scout_sees_what_is_put_back);
	tcase_add_test(tests, freed_memory_is_nobodys);
}

int main(void)
{
	Suite *suite = suite_create("recheck");
	TCase *tests = tcase_create("recheck");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_set_timeout(tests, 30);
	add_words(tests);
	add_scout(tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
