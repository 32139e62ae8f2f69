/* sampled, delay, choose: what a caught pair means, whom to hold, which modules. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rules.h"
#include "sampler/choose.h"

static enum ftsan_plain_proof proof;

static const struct ftsan_sampled_side load = {
	.reads = true, .form = FTSAN_ACCESS_MOVE, .lock_free = true};
static const struct ftsan_sampled_side store = {
	.writes = true, .form = FTSAN_ACCESS_MOVE, .lock_free = true};

static struct ftsan_sampled_question pair(struct ftsan_sampled_side held,
					  struct ftsan_sampled_side other)
{
	return (struct ftsan_sampled_question){.held = held,
					       .other = other,
					       .read_before = true,
					       .changed = true,
					       .before = 16,
					       .after = 32,
					       .size = 8};
}

static enum ftsan_sampled_verdict ask(const struct ftsan_sampled_question *question)
{
	return ftsan_rule_sampled(question, &proof);
}

START_TEST(moves_may_be_atomics)
{
	struct ftsan_sampled_question q = pair(load, store);

	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_POSSIBLY_ATOMIC);
	q = pair(store, store);
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_POSSIBLY_ATOMIC);
	q = pair(load, load);
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_NOTHING);
}
END_TEST

START_TEST(one_side_is_no_atomic)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.held.form = FTSAN_ACCESS_FOLDED;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_int_eq(proof, FTSAN_PROOF_PAIR);
	/* clang folds relaxed loads into arithmetic. */
	q.held.folds = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_POSSIBLY_ATOMIC);
	q.held.form = FTSAN_ACCESS_WIDE;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q = pair(load, store);
	q.other.unaligned = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q = pair(load, store);
	q.other.libc = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
}
END_TEST

START_TEST(who_locks_synchronises)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.other.locked = true;
	q.held.form = FTSAN_ACCESS_WIDE;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_NOTHING);
}
END_TEST

/* A pointer that is asked for, and loaded again under a lock, is taken by nobody. */
START_TEST(who_asks_for_null_only_is_not_harmed)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.reference = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.held.tests_null = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE); /* NULL may be stored */
	q.other.stores_one = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_HARMLESS);
	ck_assert_ptr_nonnull(strstr(ftsan_rule_sampled_harm(&q), "asks for NULL"));
	q.after = 0;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.after = 32;
	q.held.tests_null = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q = pair(store, load);
	q.plain_before = q.held.stores_one = q.other.tests_null = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_HARMLESS);
	q.before = 0;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
}
END_TEST

START_TEST(the_field_and_the_reference)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.plain_before = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_int_eq(proof, FTSAN_PROOF_FIELD);
	q.plain_before = false;
	q.reference = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_int_eq(proof, FTSAN_PROOF_REFERENCE);
	/* Published once: NULL was no reference. */
	q.before = 0;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_POSSIBLY_ATOMIC);
}
END_TEST

/* A list's items are replaced by design, and loaded without the lock. */
START_TEST(two_of_the_interpreter)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.held.interpreter = q.other.interpreter = true;
	q.plain_before = q.reference = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_POSSIBLY_ATOMIC);
	q.updated_before = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_int_eq(proof, FTSAN_PROOF_FIELD);
	q.updated_before = false;
	q.held.form = FTSAN_ACCESS_FOLDED;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_int_eq(proof, FTSAN_PROOF_PAIR);
	q.held.form = FTSAN_ACCESS_MOVE;
	q.held.interpreter = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.plain_before = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_int_eq(proof, FTSAN_PROOF_REFERENCE);
}
END_TEST

START_TEST(both_modules_without_atomics)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.held.lock_free = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_POSSIBLY_ATOMIC);
	q.other.lock_free = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_int_eq(proof, FTSAN_PROOF_MODULE);
}
END_TEST

/* Flags of statics are stored to like this by modules that have no other atomics. */
START_TEST(flags_without_other_atomics)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.held.lock_free = q.other.lock_free = false;
	q.global = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_POSSIBLY_ATOMIC);
	q.other.updates = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.other.updates = false;
	q.pointers = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_int_eq(proof, FTSAN_PROOF_MODULE);
	q.changed = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_POSSIBLY_ATOMIC);
	q.global = false;
	q.pointers = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
}
END_TEST

START_TEST(the_value_that_is_there)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.plain_before = true;
	q.other.same = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_HARMLESS);
	/* Made of what was loaded: another thread's change is undone. */
	q.other.updates = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.other.updates = false;
	/* The same by chance. */
	q.other.varies = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	ck_assert_ptr_null(strstr(ftsan_rule_sampled_harm(&q), "stored again"));
	q.other.varies = false;
	q.held.varies = true; /* it only loads */
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_HARMLESS);
	q.other.form = FTSAN_ACCESS_FOLDED;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
}
END_TEST

/* Of a vector store only the watched word is known. */
START_TEST(the_value_that_is_there_by_a_wide_store)
{
	struct ftsan_sampled_question q = pair(load, store);

	q.other.form = FTSAN_ACCESS_WIDE;
	q.other.libc = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE); /* another value */
	q.other.same = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_HARMLESS);
	ck_assert_ptr_nonnull(strstr(ftsan_rule_sampled_harm(&q), "stored again"));
	/* The reader looks further than the word, or may do so. */
	q.held.form = FTSAN_ACCESS_WIDE;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.held.form = FTSAN_ACCESS_UNKNOWN;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	/* Who stores something else there is not made harmless by the other. */
	q = pair(store, store);
	q.plain_before = true;
	q.other.form = FTSAN_ACCESS_WIDE;
	q.other.same = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
}
END_TEST

/* All that the two have in common is left as it was. */
START_TEST(what_is_there_by_two_wide_stores)
{
	struct ftsan_sampled_question q = pair(store, store);

	q.held.form = FTSAN_ACCESS_WIDE;
	q.other.form = FTSAN_ACCESS_WIDE;
	q.held.same = true;
	q.other.same = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.whole = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_HARMLESS);
	q.held.updates = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.held.updates = false;
	/* The held thread is about to store something else. */
	q.held.same = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
}
END_TEST

START_TEST(bits_that_are_cut_off)
{
	struct ftsan_sampled_question q = pair(store, load);

	q.plain_before = true;
	q.held.changes_known = true;
	q.held.changes = UINT64_C(1) << 63;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.other.ignores = UINT64_C(1) << 63;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_HARMLESS);
	q.held.changes |= 1;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
	q.held.changes_known = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
}
END_TEST

START_TEST(nobody_loads_it)
{
	struct ftsan_sampled_question q = pair(store, store);

	q.plain_before = true;
	q.read_before = false;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_HARMLESS);
	q.read_before = true;
	ck_assert_int_eq(ask(&q), FTSAN_SAMPLED_RACE);
}
END_TEST

START_TEST(shared_words_first)
{
	struct ftsan_delay_question q = {.use = FTSAN_USE_SHARED_WRITTEN,
					 .foreign = true,
					 .tokens = 1,
					 .burst = 100,
					 .threads = 2,
					 .budget_percent = 5};

	ck_assert(ftsan_rule_delay(&q));
	q.foreign = false;
	ck_assert(!ftsan_rule_delay(&q));
	q.tokens = 100;
	ck_assert(ftsan_rule_delay(&q));
	q.turns = true;
	ck_assert(!ftsan_rule_delay(&q));
	q.turns = false;
	q.use = FTSAN_USE_PRIVATE;
	ck_assert(ftsan_rule_delay(&q) && !ftsan_rule_interesting(&q));
	q.tokens = 60;
	ck_assert(!ftsan_rule_delay(&q));
}
END_TEST

/* The time that holds may take is not spent by what matters little. */
START_TEST(little_of_the_time_for_little)
{
	struct ftsan_delay_question q = {.use = FTSAN_USE_SHARED_WRITTEN,
					 .foreign = true,
					 .tokens = 100,
					 .burst = 100,
					 .elapsed_ns = 10000000000,
					 .spent_ns = 1100000000, /* of 1200 ms */
					 .threads = 2,
					 .budget_percent = 5};

	ck_assert(ftsan_rule_delay(&q));
	q.fruitless = 60;
	ck_assert(!ftsan_rule_delay(&q));
	q.fruitless = 0;
	q.use = FTSAN_USE_SHARED;
	ck_assert(!ftsan_rule_delay(&q));
	q.spent_ns = 600000000;
	ck_assert(ftsan_rule_delay(&q));
}
END_TEST

START_TEST(a_young_run_has_no_time_to_wait)
{
	struct ftsan_delay_question q = {.use = FTSAN_USE_SHARED_WRITTEN,
					 .foreign = true,
					 .elapsed_ns = 100000000,
					 .spent_ns = 50000000,
					 .threads = 2,
					 .budget_percent = 5};

	ck_assert_uint_eq(ftsan_rule_longer(&q), 0);
	q.elapsed_ns = 10000000000;
	ck_assert_uint_gt(ftsan_rule_longer(&q), 0);
	q.foreign = false;
	ck_assert_uint_eq(ftsan_rule_longer(&q), 0);
}
END_TEST

/* As the interpreter's code has. */
START_TEST(what_may_be_spent_ahead_is)
{
	struct ftsan_delay_question q = {.use = FTSAN_USE_SHARED_WRITTEN,
					 .foreign = true,
					 .tokens = 100,
					 .burst = 100,
					 .elapsed_ns = 100000000,
					 .spent_ns = 300000000,
					 .threads = 2,
					 .budget_percent = 5};

	ck_assert(!ftsan_rule_delay(&q) && ftsan_rule_longer(&q) == 0);
	q.ahead_ns = 1000000000;
	ck_assert(ftsan_rule_delay(&q) && ftsan_rule_longer(&q) > 0);
	q.use = FTSAN_USE_PRIVATE;
	ck_assert_uint_eq(ftsan_rule_longer(&q), 0);
	q.writes = true;
	ck_assert_uint_gt(ftsan_rule_longer(&q), 0);
	q.spent_ns = 2000000000;
	ck_assert(!ftsan_rule_delay(&q) && ftsan_rule_longer(&q) == 0);
	q.ahead_ns = 0;
	q.spent_ns = 0;
	ck_assert_uint_eq(ftsan_rule_longer(&q), 0);
}
END_TEST

START_TEST(who_is_met_seldom_is_tried_longer)
{
	struct ftsan_delay_question q = {
		.use = FTSAN_USE_SHARED_WRITTEN, .foreign = true, .fruitless = 60};

	ck_assert(ftsan_rule_interesting(&q));
	q.foreign = false;
	ck_assert(!ftsan_rule_interesting(&q));
}
END_TEST

START_TEST(the_interpreters_state_last)
{
	struct ftsan_delay_question q = {.use = FTSAN_USE_SHARED_WRITTEN,
					 .foreign = true,
					 .writes = true,
					 .tokens = 50,
					 .burst = 100,
					 .threads = 4,
					 .budget_percent = 5};

	ck_assert(ftsan_rule_delay(&q));
	ck_assert(ftsan_rule_interesting(&q));
	q.state = true;
	ck_assert(!ftsan_rule_delay(&q));
	ck_assert(!ftsan_rule_interesting(&q));
	q.tokens = 90;
	ck_assert(ftsan_rule_delay(&q));
}
END_TEST

START_TEST(nobody_is_held_alone_or_beyond_the_budget)
{
	struct ftsan_delay_question q = {.use = FTSAN_USE_SHARED_WRITTEN,
					 .foreign = true,
					 .tokens = 100,
					 .burst = 100,
					 .threads = 1,
					 .budget_percent = 5};

	ck_assert(!ftsan_rule_delay(&q));
	q.threads = 2;
	q.spent_ns = 2000000000;
	q.elapsed_ns = 10000000000;
	ck_assert(!ftsan_rule_delay(&q));
	q.threads = 20;
	ck_assert(ftsan_rule_delay(&q));
	q.fruitless = 1000;
	q.tokens = 99;
	ck_assert(!ftsan_rule_delay(&q));
}
END_TEST

START_TEST(which_modules)
{
	static const char wheel[] = "/e/lib/python3.14t/site-packages/multidict/"
				    "_multidict.cpython-314t-x86_64-linux-gnu.so";
	static const char blas[] = "/e/lib/python3.14t/site-packages/numpy.libs/"
				   "libscipy_openblas64_-8fb3d286.so";
	static const char python[] = "/usr/bin/python3.14t";

	ck_assert(ftsan_sample_chosen(wheel, "", false));
	ck_assert(ftsan_sample_chosen("/home/me/mine.so", "", false));
	ck_assert(!ftsan_sample_chosen(blas, "", false));
	ck_assert(ftsan_sample_is_runtime(blas));
	ck_assert(!ftsan_sample_chosen("/lib/x86_64-linux-gnu/libz.so.1", "", false));
	ck_assert(!ftsan_sample_chosen(python, "", true));
	ck_assert(!ftsan_sample_chosen(python, "cpython", true));
	ck_assert(!ftsan_sample_chosen(python, "*", true));
	ck_assert(ftsan_sample_asks_interpreter("numpy,cpython"));
	ck_assert(!ftsan_sample_asks_interpreter("*,-cpython,cpython3"));
	ck_assert(ftsan_sample_chosen(wheel, "_multi*", false));
	ck_assert(ftsan_sample_chosen(wheel, "numpy,multidict", false));
	ck_assert(!ftsan_sample_chosen(wheel, "numpy", false));
	ck_assert(!ftsan_sample_chosen(wheel, "-multidict", false));
	ck_assert(!ftsan_sample_chosen("/x/libftsan.so", "*", false));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sampled");
	TCase *test = tcase_create("sampled");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(test, moves_may_be_atomics);
	tcase_add_test(test, one_side_is_no_atomic);
	tcase_add_test(test, who_locks_synchronises);
	tcase_add_test(test, who_asks_for_null_only_is_not_harmed);
	tcase_add_test(test, the_field_and_the_reference);
	tcase_add_test(test, two_of_the_interpreter);
	tcase_add_test(test, both_modules_without_atomics);
	tcase_add_test(test, flags_without_other_atomics);
	tcase_add_test(test, the_value_that_is_there);
	tcase_add_test(test, the_value_that_is_there_by_a_wide_store);
	tcase_add_test(test, what_is_there_by_two_wide_stores);
	tcase_add_test(test, bits_that_are_cut_off);
	tcase_add_test(test, nobody_loads_it);
	tcase_add_test(test, shared_words_first);
	tcase_add_test(test, little_of_the_time_for_little);
	tcase_add_test(test, a_young_run_has_no_time_to_wait);
	tcase_add_test(test, what_may_be_spent_ahead_is);
	tcase_add_test(test, who_is_met_seldom_is_tried_longer);
	tcase_add_test(test, the_interpreters_state_last);
	tcase_add_test(test, nobody_is_held_alone_or_beyond_the_budget);
	tcase_add_test(test, which_modules);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
