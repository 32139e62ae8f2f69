#include <check.h>
#include <stdlib.h>

#include "stacks/linetable.h"
#include "stacks/stacks.h"

/* An entry's first byte: mark, code, number of code units. */
#define ENTRY(code, units) (0x80 | (code) << 3 | ((units)-1))

#define LINE(table, first, offset) ftsan_line_of(table, sizeof(table), first, offset)

START_TEST(short_forms_stay_on_the_line)
{
	static const unsigned char table[] = {ENTRY(0, 1), 0x12, ENTRY(9, 2), 0x7f};

	ck_assert_int_eq(LINE(table, 7, 0), 7);
	ck_assert_int_eq(LINE(table, 7, 1), 7);
	ck_assert_int_eq(LINE(table, 7, 2), 7);
	ck_assert_int_eq(LINE(table, 7, 5), 7);
}
END_TEST

START_TEST(one_line_forms_add_their_delta)
{
	static const unsigned char table[] = {ENTRY(10, 1), 4,	 8,   ENTRY(11, 1), 4, 8,
					      ENTRY(12, 1), 127, 127, ENTRY(10, 1), 1, 2};

	ck_assert_int_eq(LINE(table, 100, 0), 100);
	ck_assert_int_eq(LINE(table, 100, 2), 101);
	ck_assert_int_eq(LINE(table, 100, 4), 103);
	ck_assert_int_eq(LINE(table, 100, 6), 103);
}
END_TEST

START_TEST(no_column_form_goes_both_ways)
{
	/* +5 is 10, -3 is 7; 40 is 80: two groups of six bits. */
	static const unsigned char table[] = {
		ENTRY(13, 8),	  10,	  ENTRY(13, 1), 7, ENTRY(13, 1),
		0x40 | (80 & 63), 80 >> 6};

	ck_assert_int_eq(LINE(table, 10, 0), 15);
	ck_assert_int_eq(LINE(table, 10, 15), 15);
	ck_assert_int_eq(LINE(table, 10, 16), 12);
	ck_assert_int_eq(LINE(table, 10, 18), 52);
}
END_TEST

START_TEST(long_form_counts_from_its_start_line)
{
	/* line +1, end line +2, columns 70 and 3; then the next counts from the start. */
	static const unsigned char table[] = {ENTRY(14, 3), 2, 2, 0x40 | 7, 1, 4,
					      ENTRY(11, 1), 0, 0};

	ck_assert_int_eq(LINE(table, 1, 0), 2);
	ck_assert_int_eq(LINE(table, 1, 5), 2);
	ck_assert_int_eq(LINE(table, 1, 6), 3);
}
END_TEST

START_TEST(no_location_has_no_line)
{
	static const unsigned char table[] = {ENTRY(15, 2), ENTRY(11, 1), 0, 0};

	ck_assert_int_eq(LINE(table, 5, 0), 0);
	ck_assert_int_eq(LINE(table, 5, 3), 0);
	ck_assert_int_eq(LINE(table, 5, 4), 6);
}
END_TEST

START_TEST(past_the_end_has_no_line)
{
	static const unsigned char table[] = {ENTRY(10, 2), 0, 0};

	ck_assert_int_eq(LINE(table, 5, 3), 5);
	ck_assert_int_eq(LINE(table, 5, 4), 0);
	ck_assert_int_eq(LINE(table, 5, UINT32_MAX), 0);
	ck_assert_int_eq(ftsan_line_of(table, 0, 5, 0), 0);
}
END_TEST

START_TEST(torn_tables_yield_no_nonsense)
{
	static const unsigned char no_mark[] = {0x12, ENTRY(10, 8), 0, 0};
	static const unsigned char cut_delta[] = {ENTRY(13, 1)};
	static const unsigned char endless[] = {ENTRY(13, 1), 0x7f, 0x7f, 0x7f, 0x7f,
						0x7f,	      0x7f, 0x7f, 0x7f, 0x7f};
	static const unsigned char overflow[] = {
		ENTRY(13, 1), 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x03, ENTRY(12, 1), 0, 0};

	ck_assert_int_eq(LINE(no_mark, 5, 0), 0);
	ck_assert_int_eq(LINE(cut_delta, 5, 0), 5);
	(void)LINE(endless, 5, 0);
	ck_assert_int_eq(LINE(overflow, INT32_MAX, 2), 0);
}
END_TEST

START_TEST(pieces_give_what_the_whole_gives)
{
	static const unsigned char table[] = {ENTRY(11, 1),
					      0,
					      0,
					      ENTRY(14, 2),
					      2,
					      0,
					      1,
					      1,
					      ENTRY(15, 1),
					      ENTRY(13, 1),
					      9,
					      ENTRY(0, 4),
					      1};

	for (uint32_t size = 6; size <= sizeof(table); size++) {
		for (uint32_t target = 0; target < 20; target++) {
			struct ftsan_line_scan scan = {.target = target, .line = 30};
			uint32_t at = 0, used = 1;

			while (used > 0 && at < sizeof(table) && !scan.found) {
				uint32_t left = sizeof(table) - at;
				uint32_t count = left < size ? left : size;

				used = ftsan_line_scan(&scan, table + at, count,
						       count == left);
				at += used;
			}
			ck_assert_int_eq(scan.found ? scan.answer : 0,
					 LINE(table, 30, target));
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("linetable");
	TCase *tcase = tcase_create("linetable");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, short_forms_stay_on_the_line);
	tcase_add_test(tcase, one_line_forms_add_their_delta);
	tcase_add_test(tcase, no_column_form_goes_both_ways);
	tcase_add_test(tcase, long_form_counts_from_its_start_line);
	tcase_add_test(tcase, no_location_has_no_line);
	tcase_add_test(tcase, past_the_end_has_no_line);
	tcase_add_test(tcase, torn_tables_yield_no_nonsense);
	tcase_add_test(tcase, pieces_give_what_the_whole_gives);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
