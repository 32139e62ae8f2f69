/* What killed a process, decided from facts: each cause, and what must not be one. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "rules/rules.h"

static struct ftsan_crash_verdict judge(struct ftsan_crash_facts facts)
{
	return ftsan_crash_judge(&facts);
}

START_TEST(test_pointers)
{
	static const struct {
		enum ftsan_pointer_kind pointer;
		enum ftsan_cause cause;
		enum ftsan_certainty certainty;
	} rows[] = {
		{FTSAN_POINTER_NONE, FTSAN_CAUSE_UNKNOWN, FTSAN_IS_UNKNOWN},
		{FTSAN_POINTER_NULL, FTSAN_CAUSE_NULL, FTSAN_IS_CONFIRMED},
		{FTSAN_POINTER_POISON, FTSAN_CAUSE_USE_AFTER_FREE, FTSAN_IS_PROBABLE},
		{FTSAN_POINTER_FREED, FTSAN_CAUSE_USE_AFTER_FREE, FTSAN_IS_CONFIRMED},
		{FTSAN_POINTER_NO_ADDRESS, FTSAN_CAUSE_WILD, FTSAN_IS_CONFIRMED},
		{FTSAN_POINTER_UNMAPPED, FTSAN_CAUSE_WILD, FTSAN_IS_CONFIRMED},
		{FTSAN_POINTER_STATIC, FTSAN_CAUSE_READ_ONLY, FTSAN_IS_CONFIRMED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ftsan_crash_verdict verdict = judge((struct ftsan_crash_facts){
			.signal = SIGSEGV, .pointer = rows[i].pointer});

		ck_assert_int_eq(verdict.cause, rows[i].cause);
		ck_assert_int_eq(verdict.certainty, rows[i].certainty);
		ck_assert(!verdict.race);
		ck_assert_ptr_nonnull(verdict.sentence);
	}
}
END_TEST

START_TEST(test_a_jump_into_data_is_a_wild_pointer)
{
	ck_assert_int_eq(judge((struct ftsan_crash_facts){.signal = SIGSEGV,
							  .fetch = true,
							  .pointer =
								  FTSAN_POINTER_BLOCK})
				 .cause,
			 FTSAN_CAUSE_WILD);
}
END_TEST

/* Whatever the pointer is: below a stack that is used up there is nothing. */
START_TEST(test_a_stack_that_is_used_up)
{
	struct ftsan_crash_verdict verdict =
		judge((struct ftsan_crash_facts){.signal = SIGSEGV,
						 .overflow = true,
						 .pointer = FTSAN_POINTER_UNMAPPED,
						 .relation = FTSAN_SAME_OBJECT});

	ck_assert_int_eq(verdict.cause, FTSAN_CAUSE_STACK_OVERFLOW);
	ck_assert(!verdict.race);
}
END_TEST

START_TEST(test_signals)
{
	ck_assert_int_eq(
		judge((struct ftsan_crash_facts){.signal = SIGFPE, .divides = true}).cause,
		FTSAN_CAUSE_DIVISION);
	ck_assert_int_eq(judge((struct ftsan_crash_facts){.signal = SIGFPE}).certainty,
			 FTSAN_IS_UNKNOWN);
	ck_assert_int_eq(
		judge((struct ftsan_crash_facts){.signal = SIGILL, .undefined = true})
			.cause,
		FTSAN_CAUSE_UNREACHABLE);
	ck_assert_int_eq(judge((struct ftsan_crash_facts){.signal = SIGILL}).cause,
			 FTSAN_CAUSE_INSTRUCTION);
	ck_assert_int_eq(
		judge((struct ftsan_crash_facts){.signal = SIGBUS, .bus_object = true})
			.cause,
		FTSAN_CAUSE_FILE);
	ck_assert_int_eq(
		judge((struct ftsan_crash_facts){.signal = SIGSEGV, .sent = true}).cause,
		FTSAN_CAUSE_SENT);
	ck_assert_int_eq(judge((struct ftsan_crash_facts){.signal = SIGSEGV,
							  .sent = true,
							  .by_itself = true})
				 .cause,
			 FTSAN_CAUSE_ABORT);
}
END_TEST

START_TEST(test_last_words)
{
	static const struct {
		const char *message;
		enum ftsan_abort_kind kind;
	} rows[] = {
		{NULL, FTSAN_ABORT_UNKNOWN},
		{"", FTSAN_ABORT_UNKNOWN},
		{"free(): double free detected in tcache 2\n", FTSAN_ABORT_DOUBLE_FREE},
		{"double free or corruption (!prev)\n", FTSAN_ABORT_DOUBLE_FREE},
		{"free(): invalid pointer\n", FTSAN_ABORT_HEAP},
		{"malloc(): corrupted top size\n", FTSAN_ABORT_HEAP},
		{"corrupted size vs. prev_size\n", FTSAN_ABORT_HEAP},
		{"python: malloc.c:2617: sysmalloc: Assertion `(old_top == ...)' failed.",
		 FTSAN_ABORT_HEAP},
		{"*** stack smashing detected ***: terminated\n", FTSAN_ABORT_STACK},
		{"python: list.c:7: append: Assertion `n > 0' failed.",
		 FTSAN_ABORT_ASSERTION},
		{"Fatal Python error: take: the function must be called with the GIL",
		 FTSAN_ABORT_FATAL},
		{"Fatal Python error: _PyMem_DebugFree: bad trailing pad byte",
		 FTSAN_ABORT_HEAP},
		{"Fatal Python error: double free", FTSAN_ABORT_FATAL},
		{"The futex facility returned an unexpected error code.\n",
		 FTSAN_ABORT_OTHER},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_int_eq(ftsan_abort_kind(rows[i].message), rows[i].kind);
}
END_TEST

START_TEST(test_aborts)
{
	struct ftsan_crash_facts facts = {
		.signal = SIGABRT, .sent = true, .by_itself = true};

	ck_assert_int_eq(judge(facts).certainty, FTSAN_IS_UNKNOWN);
	facts.abort = FTSAN_ABORT_DOUBLE_FREE;
	ck_assert_int_eq(judge(facts).cause, FTSAN_CAUSE_DOUBLE_FREE);
	facts.abort = FTSAN_ABORT_HEAP;
	ck_assert_int_eq(judge(facts).cause, FTSAN_CAUSE_HEAP);
	ck_assert(!judge(facts).race);
	facts.relation = FTSAN_SAME_OBJECT;
	ck_assert(judge(facts).race);
	facts.abort = FTSAN_ABORT_ASSERTION;
	ck_assert(!judge(facts).race);
	facts.abort = FTSAN_ABORT_FATAL;
	ck_assert_int_eq(judge(facts).cause, FTSAN_CAUSE_FATAL);
	ck_assert(!judge(facts).race);
}
END_TEST

START_TEST(test_what_explains_a_bad_pointer)
{
	struct ftsan_crash_facts facts = {.signal = SIGSEGV, .pointer = FTSAN_POINTER_NULL};

	for (int relation = FTSAN_UNRELATED; relation <= FTSAN_SAME_OBJECT; relation++) {
		facts.relation = (enum ftsan_relation)relation;
		facts.waits = false;
		ck_assert_int_eq(judge(facts).race, relation >= FTSAN_SAME_FUNCTION);
		/* One that a lock keeps from it has done nothing yet. */
		facts.waits = true;
		ck_assert(!judge(facts).race);
	}
}
END_TEST

/* Whoever asks for memory gives no pointer: what is bad is the allocator's. */
START_TEST(test_a_fault_of_the_allocators)
{
	static const enum ftsan_pointer_kind kinds[] = {
		FTSAN_POINTER_NULL, FTSAN_POINTER_NO_ADDRESS, FTSAN_POINTER_UNMAPPED};
	struct ftsan_crash_facts facts = {.signal = SIGSEGV, .allocates = true};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		facts.pointer = kinds[i];
		ck_assert_int_eq(judge(facts).cause, FTSAN_CAUSE_HEAP);
	}
	facts.allocates = false;
	ck_assert_int_eq(judge(facts).cause, FTSAN_CAUSE_WILD);
	facts.frees = true;
	ck_assert_int_eq(judge(facts).cause, FTSAN_CAUSE_HEAP);
	ck_assert_int_eq(judge(facts).certainty, FTSAN_IS_PROBABLE);
	facts.pointer = FTSAN_POINTER_FREED;
	ck_assert_int_eq(judge(facts).cause, FTSAN_CAUSE_USE_AFTER_FREE);
	facts.pointer = FTSAN_POINTER_NULL;
	facts.overflow = true;
	ck_assert_int_eq(judge(facts).cause, FTSAN_CAUSE_STACK_OVERFLOW);
}
END_TEST

static enum ftsan_relation relate(struct ftsan_deed a, struct ftsan_deed b)
{
	enum ftsan_relation relation = ftsan_relate(&a, &b);

	ck_assert_int_eq(ftsan_relate(&b, &a), relation);
	return relation;
}

START_TEST(test_relations)
{
	static const uintptr_t list[] = {0x100}, other[] = {0x200};
	struct ftsan_deed feed = {.function = 1, .module = 9, .object = 0x10};
	struct ftsan_deed unpack = {.function = 2, .module = 9, .object = 0x10};
	struct ftsan_deed elsewhere = {.function = 1, .module = 9, .object = 0x20};
	struct ftsan_deed nobody = {.function = 0};

	ck_assert_int_eq(relate(feed, unpack), FTSAN_SAME_OBJECT);
	ck_assert_int_eq(relate(feed, elsewhere), FTSAN_SAME_METHOD);
	ck_assert_int_eq(relate(unpack, elsewhere), FTSAN_SAME_MODULE);
	ck_assert_int_eq(relate(nobody, nobody), FTSAN_UNRELATED);
	ck_assert_int_eq(relate(feed, nobody), FTSAN_UNRELATED);
	elsewhere.object = feed.object = 0;
	ck_assert_int_eq(relate(feed, elsewhere), FTSAN_SAME_FUNCTION);
	/* Of the interpreter's own functions nothing follows. */
	elsewhere.module = feed.module = 0;
	ck_assert_int_eq(relate(feed, elsewhere), FTSAN_UNRELATED);
	feed.others = list, feed.n_others = 1;
	elsewhere.others = other, elsewhere.n_others = 1;
	ck_assert_int_eq(relate(feed, elsewhere), FTSAN_UNRELATED);
	elsewhere.others = list;
	ck_assert_int_eq(relate(feed, elsewhere), FTSAN_SHARED_ARGUMENT);
	unpack.object = 0x100;
	ck_assert_int_eq(relate(feed, unpack), FTSAN_SHARED_ARGUMENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crash_rules");
	TCase *tests = tcase_create("crash_rules");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, test_pointers);
	tcase_add_test(tests, test_a_jump_into_data_is_a_wild_pointer);
	tcase_add_test(tests, test_a_stack_that_is_used_up);
	tcase_add_test(tests, test_signals);
	tcase_add_test(tests, test_last_words);
	tcase_add_test(tests, test_aborts);
	tcase_add_test(tests, test_what_explains_a_bad_pointer);
	tcase_add_test(tests, test_a_fault_of_the_allocators);
	tcase_add_test(tests, test_relations);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
