/* sampling: counts of calls by call site, in a fixed table. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/base.h"
#include "budget/budget.h"
#include "rules/rules.h"

enum { ALWAYS = 16 };

static unsigned taken(uint64_t site, unsigned calls, uint32_t always)
{
	unsigned n = 0;

	for (unsigned i = 0; i < calls; i++)
		n += ftsan_sampling_take(site, FTSAN_SAMPLING_ALIKE, always);
	return n;
}

/* The rule decides, over the site's own calls. */
static unsigned expected(unsigned calls, uint32_t always)
{
	unsigned n = 0;

	for (unsigned i = 0; i < calls; i++)
		n += ftsan_rule_sample(i, always);
	return n;
}

START_TEST(a_site_counts_its_calls)
{
	ck_assert_uint_eq(taken(0x401000, ALWAYS, ALWAYS), ALWAYS);
	ck_assert_uint_eq(taken(0x401000, 100000 - ALWAYS, ALWAYS),
			  expected(100000, ALWAYS) - ALWAYS);
	ck_assert_uint_lt(expected(100000, ALWAYS), 600);
}
END_TEST

START_TEST(sites_do_not_count_each_others_calls)
{
	(void)taken(0x401000, 100000, ALWAYS);
	/* Neighbours in every sense: the next address, and the same low bits. */
	ck_assert_uint_eq(taken(0x401001, ALWAYS, ALWAYS), ALWAYS);
	ck_assert_uint_eq(taken(0x401000 + (1ull << 40), ALWAYS, ALWAYS), ALWAYS);
	ck_assert_uint_eq(taken(0, ALWAYS, ALWAYS), ALWAYS);
	for (uint64_t site = 1; site <= 1000; site++)
		ck_assert_uint_eq(taken(site * 64, ALWAYS, ALWAYS), ALWAYS);
	ck_assert_uint_eq(ftsan_counted(left_out_sites), 0);
}
END_TEST

START_TEST(every_call_can_be_asked_for)
{
	ck_assert_uint_eq(taken(0x401000, 5000, 0), 5000);
}
END_TEST

/* Words that are compared are looked at in many more of the first calls (operation.c). */
START_TEST(many_first_calls_get_rare_in_the_end)
{
	enum { MANY_FIRST = 65536 };

	ck_assert_uint_eq(taken(0x401000, MANY_FIRST, MANY_FIRST), MANY_FIRST);
	(void)taken(0x401000, 127 * MANY_FIRST, MANY_FIRST);
	ck_assert_uint_eq(taken(0x401000, 256 * 10000, MANY_FIRST), 10000);
}
END_TEST

static unsigned taken_of(uint64_t site, uint64_t kind, unsigned calls)
{
	unsigned n = 0;

	for (unsigned i = 0; i < calls; i++)
		n += ftsan_sampling_take(site, kind, ALWAYS);
	return n;
}

START_TEST(of_a_kind_that_did_no_harm_fewer_calls_are_watched)
{
	enum { KIND = 0x501000, OTHER = 0x502000 };
	uint64_t site = 1;

	for (unsigned n = 0; n < FTSAN_HARMLESS; n += ALWAYS)
		(void)taken_of(site++ << 20, KIND, ALWAYS);
	ck_assert_uint_eq(taken_of(site++ << 20, KIND, ALWAYS),
			  expected(ALWAYS, ALWAYS / 4));
	ck_assert_uint_eq(taken_of(site++ << 20, OTHER, ALWAYS), ALWAYS);
	/* Of a new site the first ones always are. */
	ck_assert_uint_eq(taken_of(site++ << 20, KIND, ALWAYS / 4), ALWAYS / 4);
	ftsan_sampling_harm(KIND);
	ck_assert_uint_eq(taken_of(site++ << 20, KIND, ALWAYS), ALWAYS);
	ftsan_sampling_harm(0x503000);
}
END_TEST

START_TEST(a_reset_forgets_everything)
{
	(void)taken(0x401000, 1000, ALWAYS);
	ftsan_sampling_reset();
	ck_assert_uint_eq(taken(0x401000, 1000, ALWAYS), expected(1000, ALWAYS));
}
END_TEST

/* Those that find no room are counted, and still watched now and then. */
START_TEST(a_full_table_is_counted)
{
	enum { MANY = 400000 };
	unsigned n = 0;
	uint64_t left_out;

	ck_assert_uint_eq(taken(7, ALWAYS, ALWAYS), ALWAYS);
	for (uint64_t site = 1; site <= MANY; site++)
		(void)ftsan_sampling_take(site << 20, FTSAN_SAMPLING_ALIKE, ALWAYS);
	left_out = ftsan_counted(left_out_sites);
	ck_assert_uint_gt(left_out, MANY - 16384 - 1);
	for (uint64_t site = MANY + 1; site <= 2 * MANY; site++)
		n += ftsan_sampling_take(site << 20, FTSAN_SAMPLING_ALIKE, ALWAYS);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(n, MANY / FTSAN_SAMPLE_RAREST + 1);
	/* Those that have room keep it. */
	(void)taken(7, 100, ALWAYS);
	ck_assert_uint_eq(ftsan_counted(left_out_sites), left_out + MANY);
	ftsan_sampling_reset();
	ck_assert_uint_eq(taken((uint64_t)(2 * MANY) << 20, ALWAYS, ALWAYS), ALWAYS);
	ck_assert_uint_eq(ftsan_counted(left_out_sites), left_out + MANY);
}
END_TEST

enum { THREADS = 4, CALLS = 20000 };

static void *call_both(void *to)
{
	unsigned *n = to;

	for (unsigned i = 0; i < CALLS; i++)
		*n += ftsan_sampling_take(0x401000, FTSAN_SAMPLING_ALIKE, ALWAYS);
	*n += ftsan_sampling_take((uint64_t)(uintptr_t)to, FTSAN_SAMPLING_ALIKE, ALWAYS)
		      ? 0
		      : CALLS;
	return NULL;
}

/* Some calls may be lost to another thread; the site stays one, and rare. */
START_TEST(threads_share_the_counts)
{
	unsigned n[THREADS] = {0};
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, call_both, &n[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_uint_lt(n[i], CALLS / 10);
	ck_assert(!ftsan_sampling_take(0x401000, FTSAN_SAMPLING_ALIKE, 1) ||
		  !ftsan_sampling_take(0x401000, FTSAN_SAMPLING_ALIKE, 1));
	ck_assert_uint_eq(ftsan_counted(left_out_sites), 0);
}
END_TEST

START_TEST(a_share_is_spent_forgiven_and_begun_anew)
{
	const uint64_t hours = UINT64_C(100000) * 1000000000;
	struct ftsan_share share;

	ftsan_share_begin(&share);
	ck_assert(!ftsan_share_is_spent(&share, 0, 0));
	ftsan_share_spend(&share, 2 * hours);
	ck_assert(ftsan_share_is_spent(&share, hours, 100));
	ftsan_share_forgive(&share, hours);
	ck_assert(!ftsan_share_is_spent(&share, hours, 0));
	ck_assert(ftsan_share_is_spent(&share, hours - 1, 0));
	ftsan_share_forgive(&share, 2 * hours);
	ck_assert(!ftsan_share_is_spent(&share, 0, 0));
	ftsan_share_spend(&share, hours);
	ftsan_share_begin(&share);
	ck_assert(!ftsan_share_is_spent(&share, 0, 0));
}
END_TEST

/* Uses the processor for so long. */
static void run_for(uint64_t ns)
{
	uint64_t end = ftsan_sys_cpu_ns() + ns;

	while (ftsan_sys_cpu_ns() < end)
		;
}

/* moved() - how far the clock goes while the processor is used for @ns. */
static uint64_t moved(uint64_t ns)
{
	uint64_t began = ftsan_effort_cpu_ns();

	run_for(ns);
	return ftsan_effort_cpu_ns() - began;
}

static const uint64_t MS = 1000000;

START_TEST(a_program_that_nobody_looks_at_is_never_steady)
{
	ftsan_effort_init(0);
	run_for(20 * MS);
	ck_assert(!ftsan_effort_is_steady());
	ck_assert_uint_ge(moved(20 * MS), 10 * MS);
}
END_TEST

START_TEST(the_clock_stands_in_a_steady_program_and_goes_on_with_news)
{
	ftsan_effort_init(0);
	ftsan_effort_watched();
	ck_assert_uint_ge(moved(20 * MS), 10 * MS);
	run_for(1100 * MS);
	(void)ftsan_effort_cpu_ns();
	ck_assert(ftsan_effort_is_steady());
	ck_assert_uint_eq(moved(20 * MS), 0);
	ftsan_effort_new_thread();
	ck_assert(!ftsan_effort_is_steady());
	ck_assert_uint_gt(moved(10 * MS), 0);
	run_for(50 * MS);
	(void)ftsan_effort_cpu_ns();
	ck_assert(ftsan_effort_is_steady());
	ftsan_effort_new_code();
	ck_assert(!ftsan_effort_is_steady());
	/* The child of a fork. */
	ftsan_effort_begin();
	ck_assert(!ftsan_effort_is_steady());
	ck_assert_uint_ge(moved(20 * MS), 10 * MS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sampling");
	TCase *tests = tcase_create("sampling");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, a_site_counts_its_calls);
	tcase_add_test(tests, sites_do_not_count_each_others_calls);
	tcase_add_test(tests, every_call_can_be_asked_for);
	tcase_add_test(tests, many_first_calls_get_rare_in_the_end);
	tcase_add_test(tests, of_a_kind_that_did_no_harm_fewer_calls_are_watched);
	tcase_add_test(tests, a_reset_forgets_everything);
	tcase_add_test(tests, a_full_table_is_counted);
	tcase_add_test(tests, threads_share_the_counts);
	tcase_add_test(tests, a_share_is_spent_forgiven_and_begun_anew);
	tcase_add_test(tests, a_program_that_nobody_looks_at_is_never_steady);
	tcase_add_test(tests, the_clock_stands_in_a_steady_program_and_goes_on_with_news);
	/* A second of processor's time may be a long one. */
	tcase_set_timeout(tests, 60);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
