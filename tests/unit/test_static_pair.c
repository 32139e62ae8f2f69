/* static_pair: each rule with what it must and what it must not answer. */
#include <check.h>
#include <stdlib.h>

#include "rules/rules.h"

/* Two stores of different values to one word that held something. */
static struct ftsan_static_pair_question two_stores(void)
{
	struct ftsan_access store = {
		.address = 0x1000, .size = 8, .role = FTSAN_ROLE_WRITE, .exact = true};

	return (struct ftsan_static_pair_question){.held = store,
						   .met = store,
						   .has_new = true,
						   .met_has_new = true,
						   .old = 1,
						   .new = 2,
						   .met_new = 3,
						   .call_words = 1};
}

static struct ftsan_static_pair_question store_and_load(void)
{
	struct ftsan_static_pair_question question = two_stores();

	question.met.role = FTSAN_ROLE_READ;
	question.met_has_new = false;
	return question;
}

static void expect(const struct ftsan_static_pair_question *question,
		   enum ftsan_static_pair pair, enum ftsan_grade grade)
{
	struct ftsan_static_pair_verdict verdict = ftsan_rule_static_pair(question);

	ck_assert_int_eq(verdict.pair, pair);
	ck_assert_str_eq(ftsan_grade_name(verdict.grade), ftsan_grade_name(grade));
	ck_assert((ftsan_static_pair_danger(pair)[0] == '\0') ==
		  (pair == FTSAN_PAIR_NOTHING));
}

START_TEST(synchronization_is_nothing)
{
	struct ftsan_static_pair_question question = two_stores();

	question.held.atomic = true;
	expect(&question, FTSAN_PAIR_NOTHING, FTSAN_GRADE_COUNTED);
	question = two_stores();
	question.met.atomic = true;
	expect(&question, FTSAN_PAIR_NOTHING, FTSAN_GRADE_COUNTED);
	question = two_stores();
	question.lock_functions = true;
	expect(&question, FTSAN_PAIR_NOTHING, FTSAN_GRADE_COUNTED);
	question = two_stores();
	question.interpreter = true;
	expect(&question, FTSAN_PAIR_NOTHING, FTSAN_GRADE_COUNTED);
	question = two_stores();
	question.header = true;
	expect(&question, FTSAN_PAIR_NOTHING, FTSAN_GRADE_COUNTED);
}
END_TEST

START_TEST(neighbours_are_nothing)
{
	struct ftsan_static_pair_question question = two_stores();

	question.held.size = question.met.size = 4;
	question.met.address += 4;
	expect(&question, FTSAN_PAIR_NOTHING, FTSAN_GRADE_COUNTED);
	question.met.address -= 1;
	expect(&question, FTSAN_PAIR_LOST, FTSAN_GRADE_MEDIUM);
	/* The same bytes, in one piece: that may be an atomic. */
	question.met.address -= 3;
	expect(&question, FTSAN_PAIR_VALUE, FTSAN_GRADE_LOW);
}
END_TEST

START_TEST(a_word_of_atomics_may_be_loaded_and_released)
{
	struct ftsan_static_pair_question question = store_and_load();

	question.atomic_word = true;
	expect(&question, FTSAN_PAIR_NOTHING, FTSAN_GRADE_COUNTED);
	question = two_stores();
	question.atomic_word = true;
	expect(&question, FTSAN_PAIR_HALF_ATOMIC, FTSAN_GRADE_LOW);
	question.new = 0;
	expect(&question, FTSAN_PAIR_NOTHING, FTSAN_GRADE_COUNTED);
}
END_TEST

START_TEST(the_same_value_is_low)
{
	struct ftsan_static_pair_question question = two_stores();

	question.met_new = question.new;
	expect(&question, FTSAN_PAIR_SAME, FTSAN_GRADE_LOW);
	/* Two threads that begin with the same seed. */
	question.varies = true;
	expect(&question, FTSAN_PAIR_VALUE, FTSAN_GRADE_LOW);
	question.call_words = 2;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question = store_and_load();
	question.new = question.old;
	expect(&question, FTSAN_PAIR_SAME, FTSAN_GRADE_LOW);
}
END_TEST

START_TEST(a_pointer_is_published_alone_or_not)
{
	struct ftsan_static_pair_question question = store_and_load();

	question.old = 0;
	question.pointer = true;
	expect(&question, FTSAN_PAIR_PUBLISHED, FTSAN_GRADE_LOW);
	question.call_words = 2;
	question.followed = true;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question.call_words = 1;
	question.followed = false;
	question.pointer = false;
	expect(&question, FTSAN_PAIR_FLAG, FTSAN_GRADE_LOW);
}
END_TEST

/* A flag that hands on what was stored before it; a pointer replaced under a lock. */
START_TEST(what_may_be_released_is_low)
{
	struct ftsan_static_pair_question question = store_and_load();

	question.call_words = 3;
	expect(&question, FTSAN_PAIR_RELEASED, FTSAN_GRADE_LOW);
	question.held_rmw = true;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question.held_rmw = false;
	question.met.size = 4;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question.met.size = 8;
	question.followed = true;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question = two_stores();
	question.call_words = 3;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question = store_and_load();
	question.pointer = true;
	expect(&question, FTSAN_PAIR_RELEASED, FTSAN_GRADE_LOW);
	question.locked = true;
	expect(&question, FTSAN_PAIR_RELEASED, FTSAN_GRADE_LOW);
	question.reference = true;
	expect(&question, FTSAN_PAIR_REPLACED, FTSAN_GRADE_HIGH);
	/* A lock that the other one has not: it protects nothing. */
	question = two_stores();
	question.locked = question.pointer = true;
	expect(&question, FTSAN_PAIR_REPLACED, FTSAN_GRADE_HIGH);
}
END_TEST

/* The flags of a queue's cells, in one straight line; a seqlock's data. */
START_TEST(who_uses_atomics_may_have_more_of_them)
{
	struct ftsan_static_pair_question question = store_and_load();

	question.call_words = 3;
	question.followed = question.lock_free = true;
	expect(&question, FTSAN_PAIR_RELEASED, FTSAN_GRADE_LOW);
	question.lock_free = false;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	/* No atomic is of these. */
	question.lock_free = question.held_rmw = true;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question.held_rmw = false;
	question.met.size = 4;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question = two_stores();
	question.call_words = 3;
	question.lock_free = true;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
}
END_TEST

/* The owner of a ticket lock gives it on, and who waits looks; clang makes one add of it. */
START_TEST(what_is_folded_may_be_released)
{
	struct ftsan_static_pair_question question = store_and_load();

	question.held_rmw = true;
	expect(&question, FTSAN_PAIR_LOST, FTSAN_GRADE_MEDIUM);
	question.folds = true;
	expect(&question, FTSAN_PAIR_RELEASED, FTSAN_GRADE_LOW);
	question.followed = true;
	question.call_words = 2;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
	question = two_stores();
	question.folds = question.held_rmw = question.met_rmw = true;
	expect(&question, FTSAN_PAIR_LOST, FTSAN_GRADE_MEDIUM);
}
END_TEST

START_TEST(both_make_it)
{
	struct ftsan_static_pair_question question = two_stores();

	question.old = 0;
	question.pointer = true;
	expect(&question, FTSAN_PAIR_DOUBLE, FTSAN_GRADE_MEDIUM);
	question.met_new = question.new;
	expect(&question, FTSAN_PAIR_SAME, FTSAN_GRADE_LOW);
	question.counted = true;
	expect(&question, FTSAN_PAIR_REFERENCE, FTSAN_GRADE_MEDIUM);
	/* Not even the objects of several words that are filled together are mixed up. */
	question.call_words = 2;
	expect(&question, FTSAN_PAIR_REFERENCE, FTSAN_GRADE_MEDIUM);
	question.met_new = question.new + 1;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
}
END_TEST

START_TEST(who_only_asks_uses_nothing)
{
	struct ftsan_static_pair_question question = store_and_load();

	question.pointer = question.reference = question.met_tests_null = true;
	expect(&question, FTSAN_PAIR_ASKED, FTSAN_GRADE_LOW);
	question.met_tests_null = false;
	expect(&question, FTSAN_PAIR_REPLACED, FTSAN_GRADE_HIGH);
	/* There is no pointer afterwards, or who knows. */
	question.met_tests_null = true;
	question.new = 0;
	expect(&question, FTSAN_PAIR_REPLACED, FTSAN_GRADE_HIGH);
	question.new = 2;
	question.has_new = false;
	expect(&question, FTSAN_PAIR_REPLACED, FTSAN_GRADE_HIGH);
	question = two_stores();
	question.pointer = question.met_tests_null = true;
	expect(&question, FTSAN_PAIR_REPLACED, FTSAN_GRADE_HIGH);
}
END_TEST

START_TEST(a_pointer_in_use_is_replaced)
{
	struct ftsan_static_pair_question question = two_stores();

	question.pointer = true;
	expect(&question, FTSAN_PAIR_REPLACED, FTSAN_GRADE_HIGH);
	question.pointer = false;
	expect(&question, FTSAN_PAIR_VALUE, FTSAN_GRADE_LOW);
}
END_TEST

START_TEST(an_update_is_lost_and_a_state_is_torn)
{
	struct ftsan_static_pair_question question = two_stores();

	question.held_rmw = question.met_rmw = true;
	expect(&question, FTSAN_PAIR_LOST, FTSAN_GRADE_MEDIUM);
	question.call_words = 5;
	expect(&question, FTSAN_PAIR_TORN, FTSAN_GRADE_HIGH);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("static_pair");
	TCase *tests = tcase_create("rules");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, synchronization_is_nothing);
	tcase_add_test(tests, neighbours_are_nothing);
	tcase_add_test(tests, a_word_of_atomics_may_be_loaded_and_released);
	tcase_add_test(tests, the_same_value_is_low);
	tcase_add_test(tests, a_pointer_is_published_alone_or_not);
	tcase_add_test(tests, what_may_be_released_is_low);
	tcase_add_test(tests, who_uses_atomics_may_have_more_of_them);
	tcase_add_test(tests, what_is_folded_may_be_released);
	tcase_add_test(tests, both_make_it);
	tcase_add_test(tests, who_only_asks_uses_nothing);
	tcase_add_test(tests, a_pointer_in_use_is_replaced);
	tcase_add_test(tests, an_update_is_lost_and_a_state_is_torn);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
