/* static_store: each rule with what it must and what it must not answer. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rules.h"

/* A store of a module that claims to do without the GIL, under no lock. */
static struct ftsan_static_facts one_store(void)
{
	return (struct ftsan_static_facts){
		.judged = 1, .call_words = 1, .claims_safe = true};
}

static void expect(const struct ftsan_static_facts *facts, enum ftsan_static_class class,
		   enum ftsan_grade grade)
{
	struct ftsan_static_verdict verdict = ftsan_rule_static(facts);

	ck_assert_str_eq(ftsan_static_class_name(verdict.class),
			 ftsan_static_class_name(class));
	ck_assert_str_eq(ftsan_grade_name(verdict.grade), ftsan_grade_name(grade));
}

START_TEST(what_needs_no_reason_is_counted)
{
	struct ftsan_static_facts facts = {.imported = 3};

	expect(&facts, FTSAN_STATIC_IMPORT, FTSAN_GRADE_COUNTED);
	facts = (struct ftsan_static_facts){.guarded = 2, .imported = 1};
	expect(&facts, FTSAN_STATIC_GUARD, FTSAN_GRADE_COUNTED);
	facts = (struct ftsan_static_facts){.lock_functions = 2};
	expect(&facts, FTSAN_STATIC_LOCKWORD, FTSAN_GRADE_COUNTED);
	facts = (struct ftsan_static_facts){.foreign = 2};
	expect(&facts, FTSAN_STATIC_INTERP, FTSAN_GRADE_COUNTED);
	facts = (struct ftsan_static_facts){.headers = 2};
	expect(&facts, FTSAN_STATIC_HEADER, FTSAN_GRADE_COUNTED);
	facts = (struct ftsan_static_facts){0};
	expect(&facts, FTSAN_STATIC_NOTHING, FTSAN_GRADE_COUNTED);
}
END_TEST

START_TEST(a_word_of_atomics_is_counted)
{
	struct ftsan_static_facts facts = one_store();

	facts.changed = 5;
	facts.rmw = true;
	expect(&facts, FTSAN_STATIC_COUNTER, FTSAN_GRADE_MEDIUM);
	/* A plain store may be C's, of any order below the strictest. */
	facts.rmw = false;
	expect(&facts, FTSAN_STATIC_VALUE, FTSAN_GRADE_LOW);
	facts.atomic = true;
	expect(&facts, FTSAN_STATIC_ATOMIC, FTSAN_GRADE_COUNTED);
}
END_TEST

START_TEST(a_common_lock_is_counted_an_unknown_one_undecided)
{
	struct ftsan_static_facts facts = one_store();

	facts.changed = 5;
	facts.rmw = true;
	facts.lock_unknown = true;
	expect(&facts, FTSAN_STATIC_UNDECIDED, FTSAN_GRADE_COUNTED);
	facts.common_lock = true;
	expect(&facts, FTSAN_STATIC_LOCKED, FTSAN_GRADE_COUNTED);
	facts.common_lock = facts.lock_unknown = false;
	expect(&facts, FTSAN_STATIC_COUNTER, FTSAN_GRADE_MEDIUM);
}
END_TEST

START_TEST(a_lazy_pointer_is_medium_several_words_are_high)
{
	struct ftsan_static_facts facts = one_store();

	facts.from_null = 1;
	facts.new_pointer = true;
	expect(&facts, FTSAN_STATIC_INIT_ONE, FTSAN_GRADE_MEDIUM);
	facts.call_words = 2;
	expect(&facts, FTSAN_STATIC_INIT_MANY, FTSAN_GRADE_HIGH);
}
END_TEST

START_TEST(a_flag_and_a_function_of_its_own_are_low)
{
	struct ftsan_static_facts facts = one_store();

	facts.from_null = 1;
	expect(&facts, FTSAN_STATIC_FLAG, FTSAN_GRADE_LOW);
	facts.new_pointer = facts.new_text = true;
	expect(&facts, FTSAN_STATIC_FLAG, FTSAN_GRADE_LOW);
	/* One value for another, seen once, may be an initialization. */
	facts = one_store();
	facts.changed = 1;
	expect(&facts, FTSAN_STATIC_FLAG, FTSAN_GRADE_LOW);
	facts.changed = 2;
	facts.rmw = true;
	expect(&facts, FTSAN_STATIC_COUNTER, FTSAN_GRADE_MEDIUM);
}
END_TEST

START_TEST(a_pointer_that_gives_way_is_high)
{
	struct ftsan_static_facts facts = one_store();

	facts.changed = 1;
	facts.new_pointer = true;
	expect(&facts, FTSAN_STATIC_FLAG, FTSAN_GRADE_LOW); /* it was no pointer before */
	facts.old_pointer = true;
	expect(&facts, FTSAN_STATIC_REPLACED, FTSAN_GRADE_HIGH);
	/* Set for a call, and taken back. */
	facts = one_store();
	facts.new_pointer = true;
	facts.from_null = 1;
	facts.to_null = 1;
	expect(&facts, FTSAN_STATIC_REPLACED, FTSAN_GRADE_HIGH);
}
END_TEST

START_TEST(several_words_that_keep_changing_are_torn)
{
	struct ftsan_static_facts facts = one_store();

	facts.changed = 4;
	facts.call_words = facts.repeated_call_words = 2;
	expect(&facts, FTSAN_STATIC_TORN, FTSAN_GRADE_HIGH);
	facts.repeated_call_words = 1;
	facts.rmw = true;
	expect(&facts, FTSAN_STATIC_COUNTER, FTSAN_GRADE_MEDIUM);
}
END_TEST

START_TEST(the_same_value_is_low_whoever_stores_it)
{
	struct ftsan_static_facts facts = one_store();

	facts.same = 9;
	expect(&facts, FTSAN_STATIC_SAME, FTSAN_GRADE_LOW);
	facts.detached = true;
	expect(&facts, FTSAN_STATIC_SAME, FTSAN_GRADE_LOW);
}
END_TEST

START_TEST(a_detached_thread_is_worse_a_module_of_the_gil_better)
{
	struct ftsan_static_facts facts = one_store();

	facts.changed = 3;
	facts.rmw = true;
	facts.claims_safe = false;
	expect(&facts, FTSAN_STATIC_COUNTER, FTSAN_GRADE_LOW);
	facts.detached = true;
	expect(&facts, FTSAN_STATIC_COUNTER, FTSAN_GRADE_HIGH);
	facts.gil = true;
	expect(&facts, FTSAN_STATIC_COUNTER, FTSAN_GRADE_HIGH);
	facts.detached = false;
	expect(&facts, FTSAN_STATIC_COUNTER, FTSAN_GRADE_LOW);
}
END_TEST

START_TEST(every_hazard_says_what_happens_and_what_helps)
{
	for (int class = FTSAN_STATIC_NOTHING; class <= FTSAN_STATIC_TORN; class ++) {
		bool hazard = class >= FTSAN_STATIC_SAME;

		ck_assert((ftsan_static_danger(class)[0] != '\0') == hazard);
		ck_assert((ftsan_static_advice(class)[0] != '\0') == hazard);
	}
}
END_TEST

/* --- locks ------------------------------------------------------------------------ */

static const struct ftsan_static_lock own = {
	.address = 0x1000, .serial = 1, .inside = true, .recent = true};

START_TEST(a_lock_that_is_always_held_stays)
{
	struct ftsan_static_lockset set = {0};
	struct ftsan_static_lock lock = own;

	ftsan_rule_static_locks(&set, &lock, 1);
	ck_assert_int_eq(set.n, 1);
	/* Old by now, but it is another acquisition. */
	lock.serial = 2;
	lock.recent = false;
	ftsan_rule_static_locks(&set, &lock, 1);
	ck_assert_int_eq(set.n, 1);
}
END_TEST

START_TEST(a_store_without_it_ends_it)
{
	struct ftsan_static_lockset set = {0};

	ftsan_rule_static_locks(&set, &own, 1);
	ftsan_rule_static_locks(&set, NULL, 0);
	ck_assert_int_eq(set.n, 0);
	ftsan_rule_static_locks(&set, &own, 1);
	ck_assert_int_eq(set.n, 0);
}
END_TEST

START_TEST(two_locks_in_turn_are_none)
{
	struct ftsan_static_lockset set = {0};
	struct ftsan_static_lock other = own;

	other.address = 0x2000;
	ftsan_rule_static_locks(&set, &own, 1);
	ftsan_rule_static_locks(&set, &other, 1);
	ck_assert_int_eq(set.n, 0);
}
END_TEST

START_TEST(a_lock_around_everything_does_not_count)
{
	struct ftsan_static_lockset set = {0};
	struct ftsan_static_lock outer = own;

	/* A test runner's. */
	outer.inside = false;
	ftsan_rule_static_locks(&set, &outer, 1);
	ck_assert_int_eq(set.n, 0);
	/* One that leaked: taken long ago, and never again. */
	set = (struct ftsan_static_lockset){0};
	outer = own;
	ftsan_rule_static_locks(&set, &outer, 1);
	outer.recent = false;
	ftsan_rule_static_locks(&set, &outer, 1);
	ck_assert_int_eq(set.n, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("static_store");
	TCase *tests = tcase_create("rules");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, what_needs_no_reason_is_counted);
	tcase_add_test(tests, a_word_of_atomics_is_counted);
	tcase_add_test(tests, a_common_lock_is_counted_an_unknown_one_undecided);
	tcase_add_test(tests, a_lazy_pointer_is_medium_several_words_are_high);
	tcase_add_test(tests, a_flag_and_a_function_of_its_own_are_low);
	tcase_add_test(tests, a_pointer_that_gives_way_is_high);
	tcase_add_test(tests, several_words_that_keep_changing_are_torn);
	tcase_add_test(tests, the_same_value_is_low_whoever_stores_it);
	tcase_add_test(tests, a_detached_thread_is_worse_a_module_of_the_gil_better);
	tcase_add_test(tests, every_hazard_says_what_happens_and_what_helps);
	tcase_add_test(tests, a_lock_that_is_always_held_stays);
	tcase_add_test(tests, a_store_without_it_ends_it);
	tcase_add_test(tests, two_locks_in_turn_are_none);
	tcase_add_test(tests, a_lock_around_everything_does_not_count);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
