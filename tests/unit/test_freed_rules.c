/* What is held back of what is freed, and what of it may be overwritten. */
#include <check.h>
#include <stdlib.h>

#include "rules/rules.h"

static enum ftsan_freed_answer judge(struct ftsan_freed_facts facts)
{
	return ftsan_freed_judge(&facts);
}

START_TEST(test_modes_have_names)
{
	enum ftsan_freed_mode mode = FTSAN_FREED_OFF;

	ck_assert(ftsan_freed_mode("auto", &mode) && mode == FTSAN_FREED_AUTO);
	ck_assert(ftsan_freed_mode("own", &mode) && mode == FTSAN_FREED_OWN);
	ck_assert(ftsan_freed_mode("all", &mode) && mode == FTSAN_FREED_ALL);
	ck_assert(ftsan_freed_mode("off", &mode) && mode == FTSAN_FREED_OFF);
	ck_assert(!ftsan_freed_mode("on", &mode) && mode == FTSAN_FREED_OFF);
}
END_TEST

START_TEST(test_whose_blocks_are_held)
{
	struct ftsan_freed_facts facts = {.mode = FTSAN_FREED_OWN, .bytes = 64};

	ck_assert_int_eq(judge(facts), FTSAN_FREED_PASS);
	facts.own_type = true;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_KEEP);
	facts.own_type = false;
	facts.own_call = true;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_KEEP);
	facts.mode = FTSAN_FREED_OFF;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_PASS);
	facts.own_call = false;
	facts.mode = FTSAN_FREED_ALL;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_KEEP);
}
END_TEST

/* PyMem_RawFree() without a thread state: what is held would be released by that thread.
 */
START_TEST(test_a_detached_thread_has_nothing_held)
{
	struct ftsan_freed_facts facts = {
		.mode = FTSAN_FREED_OWN, .bytes = 64, .own_call = true};

	ck_assert_int_eq(judge(facts), FTSAN_FREED_KEEP);
	facts.detached = true;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_PASS);
	facts.held = true;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_TWICE);
}
END_TEST

START_TEST(test_blocks_of_no_known_size_and_large_ones_pass)
{
	struct ftsan_freed_facts facts = {.mode = FTSAN_FREED_ALL};

	ck_assert_int_eq(judge(facts), FTSAN_FREED_PASS);
	facts.bytes = FTSAN_FREED_BLOCK_MAX;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_KEEP);
	facts.bytes++;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_PASS);
}
END_TEST

START_TEST(test_a_held_block_is_never_freed)
{
	struct ftsan_freed_facts facts = {.mode = FTSAN_FREED_OWN, .held = true};

	ck_assert_int_eq(judge(facts), FTSAN_FREED_TWICE);
	facts.bytes = 64;
	facts.own_type = true;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_TWICE);
}
END_TEST

START_TEST(test_many_are_sampled)
{
	struct ftsan_freed_facts facts = {
		.mode = FTSAN_FREED_AUTO, .bytes = 64, .own_type = true};

	facts.before = FTSAN_FREED_FEW - 1;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_KEEP);
	facts.before++;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_PASS);
	facts.turn = true;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_KEEP);
	facts.own_type = false;
	ck_assert_int_eq(judge(facts), FTSAN_FREED_PASS);
	ck_assert_uint_lt(ftsan_freed_most(FTSAN_FREED_AUTO),
			  ftsan_freed_most(FTSAN_FREED_OWN));
}
END_TEST

START_TEST(test_a_sample_is_one_in_so_many)
{
	static const unsigned one_in[FTSAN_FREED_INTERVALS] = {8, 32, 128, 512, 2048};

	for (unsigned i = 0; i < FTSAN_FREED_INTERVALS; i++) {
		unsigned held = 0;

		for (uint32_t turn = 0; turn < 10 * one_in[i]; turn++)
			held += ftsan_freed_turn(turn, i);
		ck_assert_uint_eq(held, 10);
	}
}
END_TEST

START_TEST(test_the_sample_follows_how_often_it_is_freed)
{
	const uint64_t ms = 1000000;
	unsigned last = FTSAN_FREED_INTERVALS - 1;

	ck_assert_uint_eq(ftsan_freed_next_interval(2, 10 * ms, 1), 3);
	ck_assert_uint_eq(ftsan_freed_next_interval(last, 10 * ms, 1), last);
	ck_assert_uint_eq(ftsan_freed_next_interval(2, 500 * ms, 1), 2);
	ck_assert_uint_eq(ftsan_freed_next_interval(2, 5000 * ms, 1), 1);
	ck_assert_uint_eq(ftsan_freed_next_interval(0, 5000 * ms, 1), 0);
	/* Ten times as many, ten times as rarely. */
	ck_assert_uint_eq(ftsan_freed_next_interval(2, 500 * ms, 15), 2);
	ck_assert_uint_eq(ftsan_freed_next_interval(2, 500 * ms, 80), 3);
	ck_assert_uint_eq(ftsan_freed_next_interval(2, 5000 * ms, 80), 2);
	ck_assert_uint_eq(ftsan_freed_next_interval(2, 5000 * ms, 100000), 2);
}
END_TEST

static bool covers(const struct ftsan_freed_span *spans, unsigned n, uint32_t byte)
{
	for (unsigned i = 0; i < n; i++)
		if (byte >= spans[i].begin && byte < spans[i].end)
			return true;
	return false;
}

START_TEST(test_what_others_read_of_an_object_stays)
{
	struct ftsan_freed_span spans[FTSAN_FREED_SPANS];

	for (int object = 0; object <= 16; object += 16) {
		unsigned n = ftsan_freed_spans(96, object, 24, spans);
		uint32_t head = (uint32_t)object;

		for (uint32_t byte = 0; byte < 96; byte++)
			ck_assert(covers(spans, n, byte) ==
				  (byte < head + 8 || byte >= head + 24));
	}
	/* Less than a head is no object. */
	ck_assert_uint_eq(ftsan_freed_spans(24, 0, 24, spans), 0);
}
END_TEST

START_TEST(test_a_buffer_is_filled_as_far_as_whole_words_go)
{
	struct ftsan_freed_span spans[FTSAN_FREED_SPANS];

	ck_assert_uint_eq(ftsan_freed_spans(45, -1, 24, spans), 1);
	ck_assert_uint_eq(spans[0].begin, 0);
	ck_assert_uint_eq(spans[0].end, 40);
	ck_assert_uint_eq(ftsan_freed_spans(7, -1, 24, spans), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("freed_rules");
	TCase *tests = tcase_create("freed_rules");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, test_modes_have_names);
	tcase_add_test(tests, test_whose_blocks_are_held);
	tcase_add_test(tests, test_a_detached_thread_has_nothing_held);
	tcase_add_test(tests, test_blocks_of_no_known_size_and_large_ones_pass);
	tcase_add_test(tests, test_a_held_block_is_never_freed);
	tcase_add_test(tests, test_many_are_sampled);
	tcase_add_test(tests, test_a_sample_is_one_in_so_many);
	tcase_add_test(tests, test_the_sample_follows_how_often_it_is_freed);
	tcase_add_test(tests, test_what_others_read_of_an_object_stays);
	tcase_add_test(tests, test_a_buffer_is_filled_as_far_as_whole_words_go);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
