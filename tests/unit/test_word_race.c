/* word_race: what hits mean, with hits that the tests make up and threads that are real.
 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/base.h"
#include "findings/findings.h"
#include "pages/pages.h"
#include "rules/rules.h"
#include "words/words.h"

enum { OBJECT = 0x5000, OTHER_OBJECT = 0x6000, WINDOW_US = 100000 };

static volatile uint64_t words[4];
static char path[64];
static _Atomic int others_inside; /* a tid */
static _Atomic bool stop;

static bool inside(uintptr_t object, const struct ftsan_thread *self,
		   struct ftsan_party *who)
{
	ck_assert_uint_eq(object, OBJECT);
	ck_assert_ptr_nonnull(self);
	who->tid = atomic_load(&others_inside);
	return who->tid != 0;
}

static void describe(const struct ftsan_watchpoint *point, struct ftsan_object *out)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, out->name, sizeof(out->name));
	ftsan_buf_str(&buf, "word");
	ftsan_buf_u64(&buf, point->tag);
	(void)ftsan_buf_cstr(&buf);
	strcpy(out->description, "a word of the test");
}

static const struct ftsan_word_host host = {.inside = inside, .describe = describe};

static void set_up(uint32_t window_us)
{
	static struct ftsan_options options;

	snprintf(path, sizeof(path), "/tmp/test_word_race.%d.jsonl", (int)getpid());
	unlink(path);
	ftsan_options_init(&options);
	options.window_us = window_us;
	options.window_budget = 100;
	ck_assert_int_eq(ftsan_report_init(false, false, NULL, 0), 0);
	ck_assert_int_eq(ftsan_log_open(path, true), 0);
	ftsan_word_race_init(&options, &host);
	ck_assert_ptr_nonnull(ftsan_thread_self());
	atomic_store(&others_inside, 0);
}

static void setup(void)
{
	set_up(WINDOW_US);
}

static void teardown(void)
{
	unlink(path);
}

/* Lines of the log that have both texts in them. */
static int logged(const char *one, const char *two)
{
	static char line[1 << 16];
	FILE *file = fopen(path, "r");
	int n = 0;

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
		n += strstr(line, one) != NULL && strstr(line, two) != NULL;
	fclose(file);
	return n;
}

static int findings(const char *text)
{
	return logged("\"type\":\"finding\"", text);
}

static struct ftsan_watchpoint point_of(unsigned word)
{
	return (struct ftsan_watchpoint){.address = (uintptr_t)&words[word],
					 .object = OBJECT,
					 .value = words[word],
					 .tag = word,
					 .length = 8};
}

/* As the engine would: the access is made, then the handler runs. */
static void hit(const struct ftsan_watchpoint *point, uintptr_t ip)
{
	ucontext_t context;

	ck_assert_int_eq(getcontext(&context), 0);
	context.uc_mcontext.gregs[REG_RIP] = (greg_t)ip;
	ftsan_word_hit(ftsan_thread_self(), point, &context);
}

/* The races are what is tested: a sanitizer that the test is built with need not tell. */
__attribute__((no_sanitize("thread"))) static void store_at(unsigned word, uint64_t value,
							    uintptr_t ip)
{
	struct ftsan_watchpoint point = point_of(word);

	words[word] = value;
	hit(&point, ip);
}

static void *store_0(void *ip)
{
	store_at(0, 11, (uintptr_t)ip);
	ftsan_thread_release();
	return NULL;
}

static pthread_t begin(void *(*fn)(void *), void *argument)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, fn, argument), 0);
	return thread;
}

/* The other thread's store, held up by now. */
static pthread_t stalled_store(void)
{
	uint64_t before = ftsan_counted(stalls);
	pthread_t thread = begin(store_0, (void *)0x1000);

	while (ftsan_counted(stalls) == before)
		;
	return thread;
}

START_TEST(two_stores_are_confirmed)
{
	pthread_t thread;

	words[0] = 5;
	thread = stalled_store();
	store_at(0, 12, 0x2000);
	/* Written before anybody goes on. */
	ck_assert_int_eq(findings("\"confidence\":\"confirmed\""), 1);
	ck_assert_int_eq(logged("\"old\":5", "\"new\":11"), 1);
	ck_assert_int_eq(findings("\"role\":\"read\""), 0);
	ck_assert_int_eq(logged("data race on a word of the test", "word0"), 1);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(ftsan_counted(stalls_met), 1);
	ck_assert_uint_eq(ftsan_counted(stalls), 1);
	ck_assert_uint_ge(ftsan_counted(stall_ns), 1000);
}
END_TEST

START_TEST(a_load_is_confirmed)
{
	struct ftsan_watchpoint point = point_of(0);
	pthread_t thread = stalled_store();

	ck_assert(ftsan_word_stalled(OBJECT, &point));
	ck_assert_uint_eq(point.address, (uintptr_t)&words[0]);
	ck_assert(point.reads && point.length == 8 && point.tag == 0);
	ck_assert_uint_eq(point.object, OBJECT);
	point.value = words[0];
	hit(&point, 0x2000);
	ck_assert_int_eq(findings("\"role\":\"read\""), 1);
	ck_assert_int_eq(findings("\"confidence\":\"confirmed\""), 1);
	pthread_join(thread, NULL);
	ck_assert(!ftsan_word_stalled(OBJECT, &point));
}
END_TEST

START_TEST(other_words_are_none)
{
	pthread_t thread = stalled_store();
	struct ftsan_watchpoint point;

	ck_assert(!ftsan_word_stalled(OTHER_OBJECT, &point));
	store_at(1, words[1] + 1, 0x2000);
	pthread_join(thread, NULL);
	ck_assert_int_eq(findings(""), 0);
	ck_assert_uint_eq(ftsan_counted(stalls_met), 0);
}
END_TEST

START_TEST(one_after_the_other_is_none)
{
	pthread_t thread = begin(store_0, (void *)0x1000);

	pthread_join(thread, NULL);
	store_at(0, 77, 0x2000);
	ck_assert_int_eq(findings(""), 0);
}
END_TEST

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t locked_value;

static void *store_locked(void *ip)
{
	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&lock);
		store_at(0, atomic_fetch_add(&locked_value, 1) + 100,
			 (uintptr_t)ip + (unsigned)i);
		pthread_mutex_unlock(&lock);
	}
	ftsan_thread_release();
	return NULL;
}

START_TEST(stores_under_a_lock_are_none)
{
	pthread_t a, b;

	set_up(1000);
	a = begin(store_locked, (void *)0x1000);
	b = begin(store_locked, (void *)0x2000);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	ck_assert_uint_gt(ftsan_counted(stalls), 5);
	ck_assert_int_eq(findings(""), 0);
	ck_assert_uint_eq(ftsan_counted(stalls_met), 0);
}
END_TEST

static void *spin_inside(void *unused)
{
	ck_assert_ptr_nonnull(ftsan_thread_self());
	atomic_store(&others_inside, (int)gettid());
	while (!atomic_load(&stop))
		;
	ftsan_thread_release();
	return unused;
}

static void *sleep_inside(void *unused)
{
	ck_assert_ptr_nonnull(ftsan_thread_self());
	atomic_store(&others_inside, (int)gettid());
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	ftsan_thread_release();
	return unused;
}

static void wait_inside(void)
{
	while (atomic_load(&others_inside) == 0)
		;
}

START_TEST(a_running_operation_is_probable)
{
	pthread_t thread = begin(spin_inside, NULL);

	wait_inside();
	store_at(0, words[0] + 1, 0x1000);
	ck_assert_int_eq(findings("\"confidence\":\"probable\""), 1);
	ck_assert_int_eq(findings("\"role\":\"call\""), 1);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}
END_TEST

/* It waits for the very lock that this thread holds. */
START_TEST(a_waiting_operation_is_none)
{
	pthread_t thread;

	pthread_mutex_lock(&lock);
	thread = begin(sleep_inside, NULL);
	wait_inside();
	store_at(0, words[0] + 1, 0x1000);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(ftsan_counted(stalls), 1);
	ck_assert_int_eq(findings(""), 0);
}
END_TEST

static void *only_exist(void *unused)
{
	ck_assert_ptr_nonnull(ftsan_thread_self());
	while (!atomic_load(&stop))
		usleep(100);
	ftsan_thread_release();
	return unused;
}

/* Runs with a second thread that does nothing, so that windows may open. */
static pthread_t company(void)
{
	pthread_t thread = begin(only_exist, NULL);

	while (ftsan_threads_alive() < 2)
		;
	return thread;
}

static void leave(pthread_t thread)
{
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

START_TEST(what_is_not_held_up)
{
	struct ftsan_watchpoint reading = point_of(0);
	pthread_t thread;

	store_at(0, words[0] + 1, 0x1000);
	ck_assert_uint_eq(ftsan_counted(stalls), 0); /* one thread */
	thread = company();
	store_at(0, words[0], 0x1000); /* the same value */
	reading.reads = true;
	words[0]++;
	hit(&reading, 0x1000); /* perhaps another thread's store */
	ck_assert_uint_eq(ftsan_counted(stalls), 0);
	store_at(0, words[0] + 1, 0x1000);
	ck_assert_uint_eq(ftsan_counted(stalls), 1);
	leave(thread);
	ck_assert_int_eq(findings(""), 0);
}
END_TEST

START_TEST(stalls_are_bounded)
{
	uint64_t began = ftsan_sys_now_ns(), tenths;
	pthread_t thread;

	set_up(100);
	thread = company();
	for (unsigned i = 0; i < 200; i++)
		store_at(0, words[0] + 1, 0x1000);
	/* Eight for the object, and one for each tenth of a second since. */
	tenths = (ftsan_sys_now_ns() - began) / 100000000;
	ck_assert_uint_ge(ftsan_counted(stalls), 8);
	ck_assert_uint_le(ftsan_counted(stalls), 8 + tenths);
	leave(thread);
}
END_TEST

START_TEST(a_proven_site_is_left_alone)
{
	pthread_t thread = stalled_store();

	store_at(0, 12, 0x2000);
	pthread_join(thread, NULL);
	thread = company();
	store_at(0, 13, 0x1000);
	ck_assert_uint_eq(ftsan_counted(stalls), 1);
	store_at(0, 14, 0x3000);
	ck_assert_uint_eq(ftsan_counted(stalls), 2);
	leave(thread);
}
END_TEST

static pthread_barrier_t barrier;

/* At the same words at the same time, over and over: nobody may wait for good. */
static void *hammer(void *argument)
{
	uintptr_t self = (uintptr_t)argument;

	for (unsigned i = 0; i < 300; i++) {
		pthread_barrier_wait(&barrier);
		store_at((unsigned)(i + self) % 2, self << 32 | i, self << 20 | i << 4);
	}
	ftsan_thread_release();
	return NULL;
}

START_TEST(a_crowd_goes_on)
{
	pthread_t threads[6];

	set_up(5000);
	pthread_barrier_init(&barrier, NULL, 6);
	for (uintptr_t i = 0; i < 6; i++)
		threads[i] = begin(hammer, (void *)(i + 1));
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	ck_assert_uint_gt(ftsan_counted(stalls_met), 0);
	ck_assert_int_ge(findings("\"confidence\":\"confirmed\""), 1);
	ck_assert_int_eq(findings("\"confidence\":\"probable\""), 0);
	for (uintptr_t object = OBJECT; object <= OTHER_OBJECT; object += 0x1000) {
		struct ftsan_watchpoint point;

		ck_assert(!ftsan_word_stalled(object, &point));
	}
}
END_TEST

/* More than there is room for: the others go on unhindered. */
static void *crowd(void *argument)
{
	static volatile uint64_t many[32];
	struct ftsan_watchpoint point = {.address = (uintptr_t)&many[(uintptr_t)argument],
					 .object = 0x100000 * ((uintptr_t)argument + 1),
					 .length = 8};

	pthread_barrier_wait(&barrier);
	many[(uintptr_t)argument] = 1;
	hit(&point, 0x7000 + (uintptr_t)argument);
	ftsan_thread_release();
	return NULL;
}

static bool nobody(uintptr_t object, const struct ftsan_thread *self,
		   struct ftsan_party *who)
{
	(void)object;
	(void)self;
	(void)who;
	return false;
}

START_TEST(there_is_room_for_some)
{
	static const struct ftsan_word_host quiet = {.inside = nobody};
	static struct ftsan_options options;
	pthread_t threads[32];

	ftsan_options_init(&options);
	options.window_us = 100000;
	options.window_budget = 100;
	ftsan_word_race_init(&options, &quiet);
	pthread_barrier_init(&barrier, NULL, 32);
	for (uintptr_t i = 0; i < 32; i++)
		threads[i] = begin(crowd, (void *)i);
	for (int i = 0; i < 32; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	ck_assert_uint_ge(ftsan_counted(stalls), 8);
	ck_assert_uint_eq(ftsan_counted(stalls_met), 0);
}
END_TEST

START_TEST(a_child_has_no_stalls)
{
	pthread_t thread = stalled_store();
	struct ftsan_watchpoint point;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ftsan_word_race_fork_child();
		ftsan_thread_records_fork_child();
		store_at(0, 12, 0x2000);
		_exit(ftsan_word_stalled(OBJECT, &point) || findings("") != 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("word_race");
	TCase *tests = tcase_create("word_race");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, two_stores_are_confirmed);
	tcase_add_test(tests, a_load_is_confirmed);
	tcase_add_test(tests, other_words_are_none);
	tcase_add_test(tests, one_after_the_other_is_none);
	tcase_add_test(tests, stores_under_a_lock_are_none);
	tcase_add_test(tests, a_running_operation_is_probable);
	tcase_add_test(tests, a_waiting_operation_is_none);
	tcase_add_test(tests, what_is_not_held_up);
	tcase_add_test(tests, stalls_are_bounded);
	tcase_add_test(tests, a_proven_site_is_left_alone);
	tcase_add_test(tests, a_crowd_goes_on);
	tcase_add_test(tests, there_is_room_for_some);
	tcase_add_test(tests, a_child_has_no_stalls);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
