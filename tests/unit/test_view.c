/* view: the same finding as text and as a line of the log. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "findings/findings.h"

static char storage[16384];
static struct ftsan_buf buf;

static const struct ftsan_view_frame writer_frames[] = {
	{.function = "PyArray_Repeat",
	 .module = "/lib/numpy/_multiarray_umath.cpython-313t-x86_64-linux-gnu.so",
	 .offset = 0x1234,
	 .file = "item_selection.c",
	 .line = 12},
	{.module = "/lib/numpy/_multiarray_umath.so", .offset = 0x99},
	{.python = true, .function = "w", .file = "repeat.py", .line = 7},
};
static const struct ftsan_view_frame reader_frames[] = {
	{.python = true, .function = "r", .file = "repeat.py", .line = 9},
};
static const struct ftsan_view_stack race_stacks[] = {
	{.role = "write",
	 .tid = 12,
	 .thread = "Thread-1 (w)",
	 .size = 8,
	 .address = 0x7f00,
	 .frames = writer_frames,
	 .n_frames = 3},
	{.role = "read",
	 .tid = 10,
	 .size = 4,
	 .address = 0x7f04,
	 .atomic = true,
	 .frames = reader_frames,
	 .n_frames = 1},
};
static const struct ftsan_view race = {
	.id = "10-1",
	.pid = 10,
	.time = 1700000000.25,
	.kind = "race",
	.confidence = "confirmed",
	.fingerprint = "0123456789abcdef",
	.title = "PyArray_Repeat stores to a shape",
	.description = "dimension 0 of the shape of a numpy.ndarray",
	.name = "dims[0]",
	.address = 0x7f00,
	.word = 0,
	.has_old = true,
	.has_new = true,
	.old_value = 5,
	.new_value = -3,
	.n_shape = 2,
	.shape = {5, 3},
	.dtype = "float64",
	.size = 32,
	.stacks = race_stacks,
	.n_stacks = 2,
};

static void setup(void)
{
	memset(storage, 'x', sizeof(storage));
	ftsan_buf_init(&buf, storage, sizeof(storage));
}

static const char *text_of(const struct ftsan_view *view)
{
	setup();
	ftsan_view_text(&buf, view);
	ck_assert(!buf.truncated);
	return ftsan_buf_cstr(&buf);
}

static json_t *json_of(const struct ftsan_view *view)
{
	json_error_t error;
	json_t *json;

	setup();
	ftsan_view_json(&buf, view);
	ck_assert(!buf.truncated);
	ck_assert_ptr_null(memchr(buf.text, '\n', buf.length));
	json = json_loadb(buf.text, buf.length, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(json != NULL, "%s in %s", error.text, ftsan_buf_cstr(&buf));
	return json;
}

static void assert_json(const struct ftsan_view *view, json_t *expected)
{
	json_t *json = json_of(view);

	ck_assert_ptr_nonnull(expected);
	ck_assert_msg(json_equal(json, expected), "%s", ftsan_buf_cstr(&buf));
	json_decref(json);
	json_decref(expected);
}

START_TEST(text_of_a_race)
{
	ck_assert_str_eq(
		text_of(&race),
		"==================\n"
		"WARNING: ftsan: data race (pid=10)\n"
		"  PyArray_Repeat stores to a shape\n"
		"  Write of size 8 at 0x7f00 by thread 'Thread-1 (w)' (tid=12):\n"
		"    #0 PyArray_Repeat "
		"_multiarray_umath.cpython-313t-x86_64-linux-gnu.so+0x1234"
		" item_selection.c:12\n"
		"    #1 <unknown> _multiarray_umath.so+0x99\n"
		"    #2 w repeat.py:7 (python)\n"
		"\n"
		"  Concurrent atomic read of size 4 at 0x7f04 by main thread (tid=10):\n"
		"    #0 r repeat.py:9 (python)\n"
		"\n"
		"  Location is dimension 0 of the shape of a numpy.ndarray, dims[0] (5 "
		"-> -3)"
		" at 0x7f00, shape (5, 3), dtype float64, in a buffer of 32 bytes.\n"
		"  Confidence confirmed, fingerprint 0123456789abcdef\n"
		"\n"
		"SUMMARY: ftsan: data race repeat.py:7 in PyArray_Repeat\n"
		"==================\n");
}
END_TEST

START_TEST(text_of_a_late_use)
{
	const struct ftsan_view_stack stacks[] = {
		{.role = "read", .tid = 12, .thread = "T", .size = 8, .address = 0x10},
		{.role = "free", .tid = 13, .thread = "U"},
		{.role = "alloc"},
	};
	struct ftsan_view view = {.kind = "use-after-free",
				  .pid = 10,
				  .word = -1,
				  .n_shape = 1,
				  .shape = {4},
				  .has_old = true,
				  .old_value = 1,
				  .description = "a code cache",
				  .stacks = stacks,
				  .n_stacks = 3};

	ck_assert_str_eq(text_of(&view),
			 "==================\n"
			 "WARNING: ftsan: use after free (pid=10)\n"
			 "  Read of size 8 at 0x10 by thread 'T' (tid=12):\n"
			 "    [no stack]\n"
			 "\n"
			 "  Freed by thread 'U' (tid=13):\n"
			 "    [no stack]\n"
			 "\n"
			 "  Allocated by an unknown thread:\n"
			 "    [no stack]\n"
			 "\n"
			 "  Location is a code cache (1), shape (4,).\n"
			 "  Confidence unknown\n"
			 "\n"
			 "SUMMARY: ftsan: use after free\n"
			 "==================\n");
}
END_TEST

START_TEST(a_concurrent_free_is_part_of_a_race_only)
{
	struct ftsan_view_stack stacks[] = {race_stacks[0], {.role = "free", .tid = 3}};
	struct ftsan_view view = race;

	view.stacks = stacks;
	ck_assert_ptr_nonnull(
		strstr(text_of(&view), "  Concurrent free by thread (tid=3):\n"));
	view.kind = "use-after-free";
	ck_assert_ptr_null(strstr(text_of(&view), "Concurrent"));
	ck_assert_ptr_nonnull(strstr(text_of(&view), "  Freed by thread (tid=3):\n"));
}
END_TEST

START_TEST(headlines)
{
	ck_assert_str_eq(ftsan_kind_headline("race"), "data race");
	ck_assert_str_eq(ftsan_kind_headline("use-after-free"), "use after free");
	ck_assert_str_eq(ftsan_kind_headline("hazard"), "metadata hazard");
	ck_assert_str_eq(ftsan_kind_headline("bad-code"), "invalid code object");
	ck_assert_str_eq(ftsan_kind_headline("no-exception"),
			 "traceback without exception");
	ck_assert_str_eq(ftsan_kind_headline("later"), "later");
	ck_assert_str_eq(ftsan_kind_headline(NULL), "finding");
}
END_TEST

START_TEST(summary_without_python_names_the_source)
{
	struct ftsan_view_stack stack = race_stacks[0];
	struct ftsan_view view = race;

	stack.n_frames = 2;
	view.stacks = &stack;
	view.n_stacks = 1;
	ck_assert_ptr_nonnull(strstr(
		text_of(&view),
		"SUMMARY: ftsan: data race item_selection.c:12 in PyArray_Repeat\n"));
	stack.frames++;
	stack.n_frames = 1;
	ck_assert_ptr_nonnull(
		strstr(text_of(&view),
		       "SUMMARY: ftsan: data race in _multiarray_umath.so+0x99\n"));
}
END_TEST

START_TEST(names_of_the_program_cannot_fake_lines)
{
	struct ftsan_view view = race;

	view.title = "x\n==================\033[2J";
	ck_assert_ptr_nonnull(strstr(text_of(&view), "\n  x?==================?[2J\n"));
}
END_TEST

START_TEST(a_forced_gil_is_told)
{
	struct ftsan_view view = race;

	ck_assert_ptr_null(strstr(text_of(&view), "GIL"));
	view.gil_forced = true;
	ck_assert_ptr_nonnull(strstr(text_of(&view), "The GIL was kept off"));
}
END_TEST

START_TEST(json_of_a_race)
{
	json_t *expected = json_pack(
		"{s:i, s:s, s:s, s:f, s:s, s:s, s:s, s:s, s:b,"
		" s:{s:s, s:s, s:i, s:s, s:i, s:i, s:[i,i], s:s, s:i},"
		" s:[{s:s, s:i, s:s, s:i, s:s,"
		"     s:[{s:s, s:s, s:s, s:s, s:s, s:i}, {s:s, s:s, s:s},"
		"        {s:s, s:s, s:s, s:i}]},"
		"    {s:s, s:i, s:i, s:s, s:b, s:[{s:s, s:s, s:s, s:i}]}]}",
		"v", 1, "type", "finding", "id", "10-1", "time", 1700000000.25, "kind",
		"race", "confidence", "confirmed", "fingerprint", "0123456789abcdef",
		"title", "PyArray_Repeat stores to a shape", "gil_forced", 0, "object",
		"description", "dimension 0 of the shape of a numpy.ndarray", "address",
		"0x7f00", "word", 0, "name", "dims[0]", "old", 5, "new", -3, "shape", 5,
		3, "dtype", "float64", "size", 32, "stacks", "role", "write", "tid", 12,
		"thread", "Thread-1 (w)", "size", 8, "address", "0x7f00", "frames",
		"type", "native", "module", writer_frames[0].module, "offset", "0x1234",
		"function", "PyArray_Repeat", "file", "item_selection.c", "line", 12,
		"type", "native", "module", "/lib/numpy/_multiarray_umath.so", "offset",
		"0x99", "type", "python", "function", "w", "file", "repeat.py", "line", 7,
		"role", "read", "tid", 10, "size", 4, "address", "0x7f04", "atomic", 1,
		"frames", "type", "python", "function", "r", "file", "repeat.py", "line",
		9);

	assert_json(&race, expected);
}
END_TEST

START_TEST(json_leaves_out_what_does_not_apply)
{
	const struct ftsan_view_frame unknown = {.function = ""};
	const struct ftsan_view_stack stack = {.frames = &unknown, .n_frames = 1};
	const struct ftsan_view view = {.kind = "bad-code",
					.word = -1,
					.n_shape = -1,
					.stacks = &stack,
					.n_stacks = 1};

	assert_json(&view,
		    json_pack("{s:i, s:s, s:s, s:b, s:{}, s:[{s:[{s:s}]}]}", "v", 1,
			      "type", "finding", "kind", "bad-code", "gil_forced", 0,
			      "object", "stacks", "frames", "type", "native"));
}
END_TEST

START_TEST(json_keeps_extreme_values)
{
	const struct ftsan_view view = {.kind = "race",
					.word = -1,
					.n_shape = 0,
					.has_old = true,
					.has_new = true,
					.old_value = INT64_MIN,
					.new_value = INT64_MAX,
					.address = UINT64_MAX,
					.size = UINT32_MAX};

	assert_json(&view,
		    json_pack("{s:i, s:s, s:s, s:b, s:{s:s, s:I, s:I, s:[], s:I}, s:[]}",
			      "v", 1, "type", "finding", "kind", "race", "gil_forced", 0,
			      "object", "address", "0xffffffffffffffff", "old",
			      (json_int_t)INT64_MIN, "new", (json_int_t)INT64_MAX,
			      "shape", "size", (json_int_t)UINT32_MAX, "stacks"));
}
END_TEST

START_TEST(json_of_hostile_strings)
{
	struct ftsan_view view = race;
	json_t *json;

	view.title = "quote\" slash\\ newline\n bad\xff utf \xc3\xb6";
	json = json_of(&view);
	ck_assert_str_eq(json_string_value(json_object_get(json, "title")),
			 "quote\" slash\\ newline\n bad\xef\xbf\xbd utf \xc3\xb6");
	json_decref(json);
}
END_TEST

START_TEST(json_time_has_no_exponent)
{
	struct ftsan_view view = race;

	view.time = 1700000000.000125;
	json_decref(json_of(&view));
	ck_assert_ptr_nonnull(strstr(ftsan_buf_cstr(&buf), "\"time\":1700000000.00012"));
	view.time = -1;
	json_decref(json_of(&view));
	ck_assert_ptr_null(strstr(ftsan_buf_cstr(&buf), "\"time\""));
}
END_TEST

START_TEST(no_buffer_is_overrun)
{
	for (size_t capacity = 0; capacity < 1024; capacity += 7) {
		setup();
		ftsan_buf_init(&buf, storage, capacity);
		ftsan_view_json(&buf, &race);
		ck_assert_int_eq(storage[capacity], 'x');
		ftsan_buf_init(&buf, storage, capacity);
		ftsan_view_text(&buf, &race);
		ck_assert_int_eq(storage[capacity], 'x');
	}
}
END_TEST

static void assert_short(const char *name, const char *expected)
{
	char to[FTSAN_SHORT_NAME];

	ck_assert_str_eq(ftsan_view_short_name(name, to, sizeof(to)), expected);
}

START_TEST(long_template_arguments_are_folded)
{
	char to[8];

	assert_short(
		"std::mersenne_twister_engine<unsigned long, 32ul, 624ul>::operator()",
		"std::mersenne_twister_engine<...>::operator()");
	assert_short("f<std::map<int, std::vector<long>>>(a<b>)", "f<...>(a<b>)");
	assert_short("std::vector<int>::at", "std::vector<int>::at");
	assert_short("std::operator<< <std::char_traits<char> >(x)",
		     "std::operator<< <...>(x)");
	assert_short("a::operator<(b const&, std::pair<c, d>)",
		     "a::operator<(b const&, std::pair<c, d>)");
	assert_short("a::operator->()", "a::operator->()");
	assert_short("work.<locals>.<lambda>", "work.<locals>.<lambda>");
	assert_short("open<of_something_that_never_ends",
		     "open<of_something_that_never_ends");
	assert_short("", "");
	ck_assert_uint_lt(strlen(ftsan_view_short_name("a_long_name", to, sizeof(to))),
			  sizeof(to));
}
END_TEST

START_TEST(functions_of_cython_have_their_names_back)
{
	static const struct {
		const char *name, *expected;
	} names[] = {
		{"__pyx_f_7running_4Mean_add", "running.Mean.add"},
		{"__pyx_pw_7running_4Mean_1add", "running.Mean.add"},
		{"__pyx_pf_7running_4Mean_12add.isra.0", "running.Mean.add"},
		{"__pyx_pw_5scipy_8_ckdtree_3query_7ball", "scipy._ckdtree.query_7ball"},
		{"__pyx_f_1a_1b", "a.b"},
		{"__pyx_f_9999999_a", NULL},
		{"__pyx_f_7running", NULL},
		{"__pyx_f_7running_", NULL},
		{"__pyx_f_", NULL},
		{"__pyx_fatalerror", NULL},
		{"", NULL},
	};
	char to[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool is = ftsan_view_cython_name(names[i].name, to, sizeof(to));

		ck_assert_int_eq(is, names[i].expected != NULL);
		if (is)
			ck_assert_str_eq(to, names[i].expected);
	}
	ck_assert(ftsan_view_cython_name(names[0].name, to, 8));
	ck_assert_uint_lt(strlen(to), 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("view");
	TCase *tests = tcase_create("view");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, text_of_a_race);
	tcase_add_test(tests, text_of_a_late_use);
	tcase_add_test(tests, a_concurrent_free_is_part_of_a_race_only);
	tcase_add_test(tests, headlines);
	tcase_add_test(tests, summary_without_python_names_the_source);
	tcase_add_test(tests, names_of_the_program_cannot_fake_lines);
	tcase_add_test(tests, a_forced_gil_is_told);
	tcase_add_test(tests, json_of_a_race);
	tcase_add_test(tests, json_leaves_out_what_does_not_apply);
	tcase_add_test(tests, json_keeps_extreme_values);
	tcase_add_test(tests, json_of_hostile_strings);
	tcase_add_test(tests, json_time_has_no_exponent);
	tcase_add_test(tests, no_buffer_is_overrun);
	tcase_add_test(tests, long_template_arguments_are_folded);
	tcase_add_test(tests, functions_of_cython_have_their_names_back);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
