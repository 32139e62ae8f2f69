/* group and seen: what makes two findings one, and what does not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "findings/findings.h"
#include "findings/group.h"

static struct ftsan_view_frame frames[2][6];
static struct ftsan_view_stack stacks[3];
static struct ftsan_view view;

static struct ftsan_view_frame native(const char *function, const char *module)
{
	return (struct ftsan_view_frame){
		.function = function, .module = module, .offset = 0x1234};
}

static struct ftsan_view_frame python(const char *function, const char *file)
{
	return (struct ftsan_view_frame){
		.python = true, .function = function, .file = file, .line = 4};
}

static void setup(void)
{
	memset(frames, 0, sizeof(frames));
	frames[0][0] = native("memcpy", "/lib/libc.so.6");
	frames[0][1] = native("array_repeat", "/a/b/umath.cpython-313t-x86_64.so");
	frames[0][2] = native("method_call", "/usr/bin/python3.13t");
	frames[0][3] = native("vectorcall", "/usr/bin/python3.13t");
	frames[0][4] = python("work", "/home/a/t.py");
	frames[1][0] = native("array_dims", "/a/b/umath.cpython-313t-x86_64.so");
	frames[1][1] = python("read", "/home/a/t.py");
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
				   .confidence = "confirmed",
				   .name = "dims[0]",
				   .address = 0x7f00,
				   .stacks = stacks,
				   .n_stacks = 3};
}

static uint64_t id(void)
{
	struct ftsan_group groups[FTSAN_GROUPS_MAX];

	ck_assert_uint_ge(ftsan_groups(&view, groups), 1);
	return ftsan_group_id(&groups[0]);
}

#define assert_same(change)                                                              \
	do {                                                                             \
		uint64_t before_ = id();                                                 \
		change;                                                                  \
		ck_assert_uint_eq(id(), before_);                                        \
	} while (0)
#define assert_other(change)                                                             \
	do {                                                                             \
		uint64_t before_ = id();                                                 \
		change;                                                                  \
		ck_assert_uint_ne(id(), before_);                                        \
	} while (0)
#define assert_group(function_, module_)                                                 \
	do {                                                                             \
		struct ftsan_group groups_[FTSAN_GROUPS_MAX];                            \
		(void)ftsan_groups(&view, groups_);                                      \
		ck_assert_str_eq(groups_[0].culprit.function, function_);                \
		ck_assert_str_eq(groups_[0].culprit.module, module_);                    \
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
	assert_same(frames[0][1].module = "/other/place/umath.cpython-314t-x86_64.so");
	assert_same(frames[0][1].module = "umath.so");
	assert_same(frames[0][1].function = "array_repeat.constprop.0");
	assert_same(frames[0][1].function = "array_repeat.cold");
	assert_same(frames[0][2].module = "/usr/lib/libpython3.14t.so.1.0");
}
END_TEST

START_TEST(what_auditwheel_adds_does_not_count)
{
	frames[0][1].module = "/a/x.libs/libopenblas64_p-r0-0cf96a72.3.23.dev.so";
	assert_group("array_repeat", "libopenblas64_p-r0");
	assert_same(frames[0][1].module = "/b/libopenblas64_p-r0-f1e2d3c4.3.24.so");
	assert_other(frames[0][1].module = "/b/libopenblas64_p-r1-f1e2d3c4.3.24.so");
	frames[0][1].module = "/b/-0cf96a72.so";
	assert_group("array_repeat", "-0cf96a72");
}
END_TEST

START_TEST(how_cython_numbers_does_not_count)
{
	frames[0][1].function = "__pyx_pw_4_mcp_3MCP_5find";
	assert_group("_mcp.MCP.find", "umath");
	assert_same(frames[0][1].function = "__pyx_pf_4_mcp_3MCP_4find");
	assert_same(frames[0][1].function = "__pyx_f_4_mcp_3MCP_find.isra.0");
	assert_other(frames[0][1].function = "__pyx_pf_4_mcp_3MCP_4look");
	frames[0][1].function = "__pyx_pw_";
	assert_group("__pyx_pw_", "umath");
	frames[0][1].function = "__pyx_fatalerror";
	assert_group("__pyx_fatalerror", "umath");
}
END_TEST

START_TEST(which_thread_was_first_does_not_count)
{
	struct ftsan_view_stack first = stacks[0];

	assert_same((stacks[0] = stacks[1], stacks[1] = first));
}
END_TEST

/* One bug, whoever else was there and whether anybody was. */
START_TEST(who_else_was_there_does_not_count)
{
	assert_same(frames[1][0].function = "another");
	assert_same(stacks[1] = stacks[0]);
	assert_same(
		(view.kind = "hazard", view.confidence = "latent", view.n_stacks = 1));
	assert_same(view.operation = "ndarray.repeat");
}
END_TEST

START_TEST(the_index_and_the_allocation_do_not_count)
{
	assert_same(view.name = "dims[12]");
	assert_same(view.n_stacks = 2);
}
END_TEST

START_TEST(callers_do_not_count)
{
	assert_same(frames[0][3].function = "another");
	assert_same(frames[0][4].function = "play");
	assert_same(frames[0][2] = native("halve", "/a/halves.so"));
	assert_same(stacks[0].n_frames = 3);
}
END_TEST

START_TEST(code_that_stores_where_it_is_told_does_not_count)
{
	assert_group("array_repeat", "umath");
	assert_same(frames[0][0].function = "memmove");
	assert_same(frames[0][0] = native("PyMem_Realloc", "/usr/bin/python3.13t"));
	assert_same(frames[0][0] = native("PyMem_Realloc", "/usr/lib/libpython3.13t.so"));
	assert_same(frames[0][0] = native("_M_assign", "/usr/lib/libstdc++.so.6"));
	/* A function of the same name elsewhere does. */
	assert_other(frames[0][0].module = "/a/b/umath.so");
}
END_TEST

/* The interpreter's own doing, where nobody else's code is between it and Python. */
START_TEST(the_interpreter_may_be_at_fault)
{
	frames[0][0] = native("array_clear", "/usr/bin/python3.13t");
	frames[0][1] = python("work", "/home/a/t.py");
	assert_group("array_clear", "python3");
	assert_same(frames[0][2] = native("call", "/a/another.so"));
	frames[0][0] = frames[0][1];
	assert_group("work (t.py)", "");
}
END_TEST

/* a.shape = ... does what it was asked for. */
START_TEST(whoever_asked_for_the_store_is_to_blame)
{
	frames[0][1].function = "array_shape_set";
	assert_group("work (t.py)", "");
	frames[0][1].function = "PyArray_Resize";
	frames[0][2] = native("grow", "/a/halves.cpython-313t.so");
	assert_group("grow", "halves");
	frames[0][1].function = "array_repeat";
	assert_group("array_repeat", "umath");
}
END_TEST

/* Below it, it is always the cache that is at work, whoever raised and whatever came of
 * it; a traceback without an exception is another matter. */
START_TEST(cythons_cache_is_one_bug)
{
	frames[0][1].function = "__pyx_insert_code_object";
	frames[0][2] = native("__Pyx_AddTraceback.constprop.0", frames[0][1].module);
	assert_group("__Pyx_AddTraceback", "umath");
	assert_same(frames[0][1].function = "another");
	assert_same(frames[0][3].function = "yet_another");
	assert_same((view.kind = "bad-code", stacks[0].role = "call", view.name = NULL));
	assert_same((view.kind = "use-after-free", stacks[0].role = "read"));
	assert_other(view.kind = "no-exception");
}
END_TEST

START_TEST(the_thing_counts)
{
	assert_other(view.name = "strides[0]");
	assert_other(view.name = NULL);
	assert_other(view.subject = "wrapt.ObjectProxy");
	assert_same(view.name = "+40");
	assert_other(view.kind = "use-after-free");
	assert_other(view.kind = "crash");
}
END_TEST

START_TEST(the_code_counts)
{
	assert_other(frames[0][1].function = "array_tile");
	assert_other(frames[0][1].module = "/a/b/another.so");
}
END_TEST

/* Who freed had every right to, as a rule. */
START_TEST(who_used_freed_memory_counts)
{
	view.kind = "use-after-free";
	stacks[0].role = "free";
	assert_group("array_dims", "umath");
	assert_same(frames[0][1].function = "array_dealloc");
	stacks[1].role = "write";
	assert_group("array_dims", "umath");
}
END_TEST

START_TEST(a_nameless_function_is_told_by_its_start)
{
	frames[0][1].function = NULL;
	assert_group("+0x1234", "umath");
	assert_other(frames[0][1].offset = 0x9999);
	frames[0][1].start = 0x9000;
	assert_group("+0x9000", "umath");
	assert_same(frames[0][1].offset = 0x9998);
}
END_TEST

START_TEST(two_stores_are_told_by_either)
{
	struct ftsan_group groups[FTSAN_GROUPS_MAX], turned[FTSAN_GROUPS_MAX];
	struct ftsan_view_stack first = stacks[0];

	stacks[1].role = "write";
	ck_assert_uint_eq(ftsan_groups(&view, groups), 2);
	ck_assert_str_eq(groups[0].culprit.function, "array_dims");
	ck_assert_str_eq(groups[1].culprit.function, "array_repeat");
	stacks[0] = stacks[1];
	stacks[1] = first;
	ck_assert_uint_eq(ftsan_groups(&view, turned), 2);
	ck_assert_mem_eq(groups, turned, sizeof(groups));
}
END_TEST

START_TEST(a_change_that_nobody_saw_is_the_operations)
{
	struct ftsan_group groups[FTSAN_GROUPS_MAX], changed[FTSAN_GROUPS_MAX];

	view.kind = "hazard";
	view.n_stacks = 1;
	view.operation = "ndarray.repeat";
	ck_assert_uint_eq(ftsan_groups(&view, groups), 2);
	stacks[0].role = "call";
	ck_assert_uint_eq(ftsan_groups(&view, changed), 1);
	ck_assert_mem_eq(&groups[1], &changed[0], sizeof(groups[1]));
	view.kind = "race";
	ck_assert_uint_eq(ftsan_groups(&view, changed), 1);
	ck_assert_mem_eq(&groups[1], &changed[0], sizeof(groups[1]));
	/* Who was seen at it is to blame for it. */
	stacks[0].role = "read";
	ck_assert_uint_eq(ftsan_groups(&view, changed), 2);
	ck_assert_str_ne(changed[0].culprit.function, "ndarray.repeat");
}
END_TEST

START_TEST(missing_parts_are_fine)
{
	frames[0][0] = (struct ftsan_view_frame){.python = true};
	frames[1][0] = (struct ftsan_view_frame){.python = false};
	view.name =
		"a name without an end that no adapter would make up, longer than all "
		"that there is room for";
	ck_assert_uint_ne(id(), 0);
	view.n_stacks = 0;
	ck_assert_uint_ne(id(), 0);
	view.kind = NULL;
	ck_assert_uint_ne(id(), 0);
}
END_TEST

static const char *evidence(void)
{
	static char text[256];
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, text, sizeof(text));
	(void)ftsan_evidence(&view, &buf);
	return text;
}

START_TEST(evidence_is_who_met_whom)
{
	static const char words[] =
		"race, confirmed: read in array_dims, write in array_repeat";
	struct ftsan_view_stack first = stacks[0];

	ck_assert_str_eq(evidence(), words);
	stacks[0] = stacks[1];
	stacks[1] = first;
	ck_assert_str_eq(evidence(), words);
	frames[0][0].function = "memmove";
	frames[0][1].line = 9;
	ck_assert_str_eq(evidence(), words);
	view.kind = "hazard";
	view.confidence = "latent";
	view.n_stacks = 1;
	ck_assert_str_eq(evidence(), "hazard, latent: read in array_dims");
	view.n_stacks = 0;
	view.kind = view.confidence = NULL;
	ck_assert_str_eq(evidence(), "finding, unknown");
}
END_TEST

/* --- seen ----------------------------------------------------------------------- */

static void seen_setup(void)
{
	ck_assert_int_eq(ftsan_seen_init(), 0);
}

START_TEST(a_finding_is_found_again)
{
	struct ftsan_seen *one = ftsan_seen_find(1, 0);

	ck_assert_ptr_eq(ftsan_seen_find(1, 0), one);
	ck_assert_ptr_eq(ftsan_seen_find(1, 7), one);
	ck_assert_ptr_ne(ftsan_seen_find(2, 0), one);
	ck_assert_uint_eq(ftsan_seen_count(), 2);
}
END_TEST

START_TEST(another_name_of_it_will_do)
{
	struct ftsan_seen *one = ftsan_seen_find(1, 7);

	ck_assert_ptr_eq(ftsan_seen_find(7, 0), one);
	ck_assert_ptr_eq(ftsan_seen_find(8, 1), one);
	/* Both were called by the same operation, and that is all they share. */
	ck_assert_ptr_ne(ftsan_seen_find(3, 7), one);
}
END_TEST

START_TEST(a_name_that_is_learnt_counts)
{
	struct ftsan_seen *one = ftsan_seen_find(7, 0);

	ck_assert_ptr_eq(ftsan_seen_find(1, 7), one);
	ck_assert_uint_eq(one->also, 1);
	ck_assert_ptr_eq(ftsan_seen_find(1, 0), one);
}
END_TEST

static void count_more(uint64_t fingerprint, uint32_t more, void *to)
{
	uint64_t *sum = to;

	*sum += fingerprint * 1000 + more;
}

START_TEST(each_sort_of_evidence_is_logged_once)
{
	struct ftsan_seen *one = ftsan_seen_find(1, 0);
	uint64_t sum = 0;

	ck_assert(ftsan_seen_add(one, 10));
	ck_assert(!ftsan_seen_add(one, 10));
	ck_assert(ftsan_seen_add(one, 11));
	for (uint64_t more = 12; more < 30; more++)
		(void)ftsan_seen_add(one, more);
	ck_assert_uint_eq(one->logged, FTSAN_EVIDENCE_MAX);
	ck_assert_uint_eq(one->count, 21);
	ck_assert_uint_eq(ftsan_seen_logged(), FTSAN_EVIDENCE_MAX);
	ftsan_seen_duplicates(count_more, &sum);
	ck_assert_uint_eq(sum, 1000 + 21 - FTSAN_EVIDENCE_MAX);
}
END_TEST

START_TEST(a_full_table_says_so)
{
	for (uint64_t i = 1; i <= FTSAN_SEEN_MAX; i++)
		ck_assert_ptr_nonnull(ftsan_seen_find(i, 0));
	ck_assert_ptr_null(ftsan_seen_find(FTSAN_SEEN_MAX + 1, 0));
	ck_assert_ptr_nonnull(ftsan_seen_find(FTSAN_SEEN_MAX, 0));
	ftsan_seen_clear();
	ck_assert_uint_eq(ftsan_seen_count(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("group");
	TCase *tests = tcase_create("group"), *seen = tcase_create("seen");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, the_run_does_not_count);
	tcase_add_test(tests, a_rebuild_does_not_count);
	tcase_add_test(tests, what_auditwheel_adds_does_not_count);
	tcase_add_test(tests, how_cython_numbers_does_not_count);
	tcase_add_test(tests, which_thread_was_first_does_not_count);
	tcase_add_test(tests, who_else_was_there_does_not_count);
	tcase_add_test(tests, the_index_and_the_allocation_do_not_count);
	tcase_add_test(tests, callers_do_not_count);
	tcase_add_test(tests, code_that_stores_where_it_is_told_does_not_count);
	tcase_add_test(tests, the_interpreter_may_be_at_fault);
	tcase_add_test(tests, whoever_asked_for_the_store_is_to_blame);
	tcase_add_test(tests, cythons_cache_is_one_bug);
	tcase_add_test(tests, the_thing_counts);
	tcase_add_test(tests, the_code_counts);
	tcase_add_test(tests, who_used_freed_memory_counts);
	tcase_add_test(tests, a_nameless_function_is_told_by_its_start);
	tcase_add_test(tests, two_stores_are_told_by_either);
	tcase_add_test(tests, a_change_that_nobody_saw_is_the_operations);
	tcase_add_test(tests, missing_parts_are_fine);
	tcase_add_test(tests, evidence_is_who_met_whom);
	suite_add_tcase(suite, seen);
	tcase_add_checked_fixture(seen, seen_setup, NULL);
	tcase_add_test(seen, a_finding_is_found_again);
	tcase_add_test(seen, another_name_of_it_will_do);
	tcase_add_test(seen, a_name_that_is_learnt_counts);
	tcase_add_test(seen, each_sort_of_evidence_is_logged_once);
	tcase_add_test(seen, a_full_table_says_so);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
