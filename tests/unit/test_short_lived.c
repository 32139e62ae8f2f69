/* short_lived: allocation sites whose buffers die before anybody else can meet them. */
#include <check.h>
#include <stdlib.h>

#include "pages/short_lived.h"

enum { LIMIT = 100 };
#define SITE 0x9e3779b97f4a7c15ull
#define OTHER 0xc2b2ae3d27d4eb4full
#define ALIAS (SITE + 1) /* shares the entry, not the tag */

static struct ftsan_short_lived sites;

static void setup(void)
{
	sites = (struct ftsan_short_lived){0};
}

static void die(uint64_t site, uint16_t meetings, unsigned n)
{
	while (n-- > 0)
		ftsan_short_lived_death(&sites, site, meetings, LIMIT);
}

static unsigned admitted(uint64_t site, uint16_t meetings, unsigned n)
{
	unsigned count = 0;

	while (n-- > 0)
		count += !ftsan_short_lived_skip(&sites, site, meetings);
	return count;
}

START_TEST(one_in_a_period_once_enough_died_in_a_row)
{
	die(SITE, 0, LIMIT - 1);
	ck_assert_uint_eq(admitted(SITE, 0, 1000), 1000);
	die(SITE, 0, 1);
	ck_assert_uint_eq(admitted(SITE, 0, 10 * FTSAN_SHORT_LIVED_PERIOD), 10);
	/* Those that are guarded die, too, and that keeps their turns as they are. */
	die(SITE, 0, 5 * LIMIT);
	ck_assert_uint_eq(admitted(SITE, 0, 10 * FTSAN_SHORT_LIVED_PERIOD), 10);
}
END_TEST

START_TEST(a_meeting_brings_all_back)
{
	die(SITE, 3, LIMIT);
	ck_assert_uint_eq(admitted(SITE, 4, 1000), 1000);
	/* And they begin to be counted anew. */
	die(SITE, 4, LIMIT - 1);
	ck_assert_uint_eq(admitted(SITE, 4, 1000), 1000);
	die(SITE, 4, 1);
	ck_assert_uint_lt(admitted(SITE, 4, 1000), 1000);
}
END_TEST

START_TEST(sites_are_counted_apart)
{
	die(SITE, 0, LIMIT);
	ck_assert_uint_eq(admitted(OTHER, 0, 1000), 1000);
	ck_assert_uint_eq(admitted(ALIAS, 0, 1000), 1000);
	/* Whoever needs the entry takes it. */
	die(ALIAS, 0, 1);
	ck_assert_uint_eq(admitted(SITE, 0, 1000), 1000);
}
END_TEST

START_TEST(without_a_limit_none_is_left_out)
{
	for (unsigned i = 0; i < 100000; i++) {
		ck_assert(!ftsan_short_lived_skip(&sites, SITE, 0));
		ftsan_short_lived_death(&sites, SITE, 0, FTSAN_SHORT_LIVED_NEVER);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("short_lived");
	TCase *tests = tcase_create("short_lived");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, one_in_a_period_once_enough_died_in_a_row);
	tcase_add_test(tests, a_meeting_brings_all_back);
	tcase_add_test(tests, sites_are_counted_apart);
	tcase_add_test(tests, without_a_limit_none_is_left_out);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
