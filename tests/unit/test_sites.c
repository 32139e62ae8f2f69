/* sites: a fixed table of instruction addresses. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "budget/budget.h"

START_TEST(an_address_has_one_entry)
{
	struct ftsan_site *site = ftsan_site_of(0x401000);

	ck_assert_ptr_nonnull(site);
	ck_assert_uint_eq(site->ip, 0x401000);
	ck_assert_uint_eq(site->windows, 0);
	ck_assert(!site->proven);
	site->windows = 3;
	ck_assert_ptr_eq(ftsan_site_of(0x401000), site);
	ck_assert_ptr_ne(ftsan_site_of(0x401004), site);
	ck_assert_uint_eq(ftsan_site_of(0x401004)->windows, 0);
}
END_TEST

START_TEST(a_reset_forgets_everything)
{
	struct ftsan_site *site = ftsan_site_of(0x401000);

	site->windows = 3;
	site->proven = true;
	ftsan_sites_reset();
	site = ftsan_site_of(0x401000);
	ck_assert_uint_eq(site->windows, 0);
	ck_assert(!site->proven);
}
END_TEST

/* A full table says so, and keeps what it has. */
START_TEST(a_full_table_turns_new_ones_away)
{
	struct ftsan_site *first = ftsan_site_of(0x10);
	unsigned refused = 0;

	for (uintptr_t ip = 0x1000; ip < 0x1000 + 20000 * 5; ip += 5)
		refused += ftsan_site_of(ip) == NULL;
	ck_assert_uint_gt(refused, 20000 - 4096 - 1);
	ck_assert_ptr_eq(ftsan_site_of(0x10), first);
}
END_TEST

/* Half full, it still takes everybody: code addresses do not crowd one place. */
START_TEST(a_thousand_sites_fit)
{
	for (uintptr_t ip = 0x7f0000001000; ip < 0x7f0000001000 + 1000 * 7; ip += 7)
		ck_assert_ptr_nonnull(ftsan_site_of(ip));
}
END_TEST

static void *look_up_all(void *to)
{
	struct ftsan_site **found = to;

	for (unsigned i = 0; i < 1000; i++)
		found[i] = ftsan_site_of(0x500000 + i * 3);
	return NULL;
}

START_TEST(threads_agree_on_the_entries)
{
	static struct ftsan_site *found[4][1000];
	pthread_t threads[4];

	for (unsigned i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, look_up_all, found[i]);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 1000; i++)
		for (unsigned t = 1; t < 4; t++)
			ck_assert_ptr_eq(found[t][i], found[0][i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sites");
	TCase *tests = tcase_create("sites");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, an_address_has_one_entry);
	tcase_add_test(tests, a_reset_forgets_everything);
	tcase_add_test(tests, a_full_table_turns_new_ones_away);
	tcase_add_test(tests, a_thousand_sites_fit);
	tcase_add_test(tests, threads_agree_on_the_entries);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
