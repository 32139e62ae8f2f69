/* fingerprint: what makes two findings the same, and what does not. */
#include <check.h>
#include <stdlib.h>

#include "findings/fingerprint.h"

static struct ftsan_view_frame frames[2][5];
static struct ftsan_view_stack stacks[3];
static struct ftsan_view view;

static struct ftsan_view_frame native(const char *function, const char *module)
{
	return (struct ftsan_view_frame){
		.function = function, .module = module, .offset = 0x1234};
}

static void setup(void)
{
	frames[0][0] = native("memcpy", "/lib/libc.so.6");
	frames[0][1] = native("array_repeat", "/a/b/umath.so");
	frames[0][2] = native("method_call", "/usr/bin/python");
	frames[0][3] = native("vectorcall", "/usr/bin/python");
	frames[0][4] = (struct ftsan_view_frame){
		.python = true, .function = "work", .file = "/home/a/t.py", .line = 4};
	frames[1][0] = native("array_dims", "/a/b/umath.so");
	frames[1][1] = (struct ftsan_view_frame){
		.python = true, .function = "read", .file = "/home/a/t.py", .line = 9};
	stacks[0] = (struct ftsan_view_stack){.role = "write",
					      .tid = 5,
					      .thread = "t",
					      .frames = frames[0],
					      .n_frames = 5};
	stacks[1] = (struct ftsan_view_stack){
		.role = "read", .tid = 6, .frames = frames[1], .n_frames = 2};
	stacks[2] = (struct ftsan_view_stack){
		.role = "alloc", .tid = 5, .frames = frames[1], .n_frames = 1};
	view = (struct ftsan_view){.id = "1-1",
				   .kind = "race",
				   .name = "dims[0]",
				   .address = 0x7f00,
				   .stacks = stacks,
				   .n_stacks = 3};
}

#define assert_same(change)                                                              \
	do {                                                                             \
		uint64_t before_ = ftsan_fingerprint(&view);                             \
		change;                                                                  \
		ck_assert_uint_eq(ftsan_fingerprint(&view), before_);                    \
	} while (0)
#define assert_other(change)                                                             \
	do {                                                                             \
		uint64_t before_ = ftsan_fingerprint(&view);                             \
		change;                                                                  \
		ck_assert_uint_ne(ftsan_fingerprint(&view), before_);                    \
	} while (0)

START_TEST(the_run_does_not_count)
{
	assert_same(view.id = "7-3");
	assert_same(view.pid = 7);
	assert_same(view.time = 1e9);
	assert_same(view.address = 0x7f80);
	assert_same((view.has_old = true, view.old_value = 3));
	assert_same(stacks[0].tid = 77);
	assert_same(stacks[0].thread = "worker");
	assert_same(stacks[0].address = 0x7f80);
	assert_same(view.gil_forced = true);
}
END_TEST

START_TEST(a_rebuild_does_not_count)
{
	assert_same(frames[0][1].offset = 0x9999);
	assert_same(frames[0][1].line = 12);
	assert_same(frames[0][4].line = 40);
	assert_same(frames[0][1].module = "/other/place/umath.so");
	assert_same(frames[0][4].file = "/tmp/t.py");
}
END_TEST

START_TEST(which_thread_was_first_does_not_count)
{
	struct ftsan_view_stack first = stacks[0];

	assert_same((stacks[0] = stacks[1], stacks[1] = first));
}
END_TEST

START_TEST(the_index_and_the_allocation_do_not_count)
{
	assert_same(view.name = "dims[12]");
	assert_same(view.n_stacks = 2);
}
END_TEST

/* Two native frames name a place; what is further out belongs to the caller. */
START_TEST(callers_do_not_count)
{
	assert_same(frames[0][3].function = "another");
	assert_same(frames[0][4].function = "play");
	assert_same(stacks[0].n_frames = 3);
}
END_TEST

START_TEST(how_libc_copies_does_not_count)
{
	assert_same(frames[0][0].function = "memmove");
	assert_same(frames[0][0] = native("__memcpy_evex", "/usr/lib/libc.so.6"));
	/* A function of the same name elsewhere does. */
	assert_other(frames[0][0].module = "/a/b/umath.so");
}
END_TEST

/* Below it, it is always the cache that is at work, whoever raised. */
START_TEST(what_cython_was_asked_for_does_not_count)
{
	frames[0][1].function = "__Pyx_AddTraceback";
	assert_same(frames[0][2].function = "another");
	frames[0][1].function = "__Pyx_AddTraceback.constprop.0";
	assert_same(frames[0][2].function = "yet_another");
	frames[0][1].function = "__Pyx_GetException";
	assert_other(frames[0][2].function = "another");
}
END_TEST

START_TEST(the_thing_counts)
{
	assert_other(view.name = "strides[0]");
	assert_other(view.name = NULL);
	assert_other(view.kind = "use-after-free");
}
END_TEST

START_TEST(the_code_counts)
{
	assert_other(frames[0][1].function = "array_tile");
	assert_other(frames[0][2].function = "method_vectorcall");
	assert_other(frames[0][1].module = "/a/b/another.so");
	assert_other(frames[1][1].function = "play");
	assert_other(frames[1][1].file = "/home/a/u.py");
	assert_other(stacks[1].role = "free");
	assert_other(view.n_stacks = 1);
}
END_TEST

START_TEST(a_nameless_function_is_told_by_its_offset)
{
	frames[0][1].function = NULL;
	assert_other(frames[0][1].offset = 0x9999);
	frames[0][1].function = "";
	assert_other(frames[0][1].offset = 0x1234);
}
END_TEST

START_TEST(names_do_not_run_into_each_other)
{
	stacks[0].n_frames = 2;
	frames[0][0] = native("ab", "m");
	frames[0][1] = native("c", "m");
	assert_other((frames[0][0].function = "a", frames[0][1].function = "bc"));
}
END_TEST

/* A sum of the two sides must not cancel out where both threads run the same code. */
START_TEST(equal_sides_still_count)
{
	stacks[1] = stacks[0];
	assert_other(frames[0][1].function = "another");
}
END_TEST

START_TEST(missing_parts_are_fine)
{
	frames[0][0] = (struct ftsan_view_frame){.python = true};
	frames[1][0] = (struct ftsan_view_frame){.python = false};
	view.name = "a name without an end that no adapter would make up, too long";
	ck_assert_uint_ne(ftsan_fingerprint(&view), 0);
	view.n_stacks = 0;
	ck_assert_uint_ne(ftsan_fingerprint(&view), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fingerprint");
	TCase *tests = tcase_create("fingerprint");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, the_run_does_not_count);
	tcase_add_test(tests, a_rebuild_does_not_count);
	tcase_add_test(tests, which_thread_was_first_does_not_count);
	tcase_add_test(tests, the_index_and_the_allocation_do_not_count);
	tcase_add_test(tests, callers_do_not_count);
	tcase_add_test(tests, how_libc_copies_does_not_count);
	tcase_add_test(tests, what_cython_was_asked_for_does_not_count);
	tcase_add_test(tests, the_thing_counts);
	tcase_add_test(tests, the_code_counts);
	tcase_add_test(tests, a_nameless_function_is_told_by_its_offset);
	tcase_add_test(tests, names_do_not_run_into_each_other);
	tcase_add_test(tests, equal_sides_still_count);
	tcase_add_test(tests, missing_parts_are_fine);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
