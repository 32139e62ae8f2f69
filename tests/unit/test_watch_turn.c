#include <check.h>
#include <stdlib.h>

#include "rules/rules.h"

enum { WORDS = 4, TURNS = 12 };

/* What comes in the turn, a bit a word. Nothing comes twice in one. */
static unsigned turn(unsigned always, unsigned registers, unsigned number)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < registers && i < WORDS; i++) {
		unsigned word =
			ftsan_rule_watch_turn(WORDS, always, registers, number, i);

		ck_assert_uint_lt(word, WORDS);
		ck_assert_uint_eq(seen >> word & 1, 0);
		seen |= 1u << word;
	}
	return seen;
}

START_TEST(no_word_is_left_out_for_good)
{
	for (unsigned registers = 1; registers <= WORDS; registers++)
		for (unsigned always = 0; always < registers; always++) {
			unsigned seen = 0;

			for (unsigned i = 0; i < TURNS; i++)
				seen |= turn(always, registers, i);
			ck_assert_uint_eq(seen, 15);
		}
}
END_TEST

START_TEST(the_first_are_there_always)
{
	for (unsigned i = 0; i < TURNS; i++) {
		ck_assert_uint_eq(turn(1, 2, i) & 1, 1);
		ck_assert_uint_eq(turn(2, 3, i) & 3, 3);
		/* As far as they fit. */
		ck_assert_uint_eq(turn(1, 1, i), 1);
	}
}
END_TEST

START_TEST(with_enough_registers_all_are)
{
	for (unsigned i = 0; i < TURNS; i++) {
		ck_assert_uint_eq(turn(0, WORDS, i), 15);
		ck_assert_uint_eq(turn(0, WORDS + 1, i), 15);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch_turn");
	TCase *tests = tcase_create("turns");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, no_word_is_left_out_for_good);
	tcase_add_test(tests, the_first_are_there_always);
	tcase_add_test(tests, with_enough_registers_all_are);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
