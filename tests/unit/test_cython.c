/* adapter_cython: which version string is Cython's, and which only looks like it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapters.h"

enum { ROOM = 24 };

/* found() - the version in a piece of memory of exactly @size bytes, "" without one. */
static const char *found(const char *text, size_t size, size_t room)
{
	static char version[ROOM];
	/* Of its own: reading past the end shows under valgrind and ASan. */
	char *memory = malloc(size);

	ck_assert_ptr_nonnull(memory);
	memcpy(memory, text, size);
	memset(version, 'x', sizeof(version));
	if (!ftsan_cython_find_version(memory, size, version, room))
		version[0] = '\0';
	free(memory);
	return version;
}

#define FOUND(text) found(text, sizeof(text) - 1, ROOM)

START_TEST(releases)
{
	ck_assert_str_eq(FOUND("_cython_3_1_0a1\0"), "3.1.0a1");
	ck_assert_str_eq(FOUND("_cython_3_1_0b1\0"), "3.1.0b1");
	ck_assert_str_eq(FOUND("_cython_3_0_12\0"), "3.0.12");
	ck_assert_str_eq(FOUND("_cython_3_2_4.cython_function_or_method"), "3.2.4");
	ck_assert_str_eq(FOUND("_cython_0_29_37\0"), "0.29.37");
}
END_TEST

START_TEST(among_other_text)
{
	ck_assert_str_eq(FOUND("\0__pyx_\0_cython_3_1_0a1\0tail"), "3.1.0a1");
	ck_assert_str_eq(FOUND("_cython_runtime\0_cython_\0_cython_3_1_4\0"), "3.1.4");
	ck_assert_str_eq(FOUND("__cython_3_1_4\0"), "3.1.4");
	ck_assert_str_eq(FOUND("_cython_cython_3_1_4\0"), "3.1.4");
}
END_TEST

START_TEST(the_first_counts)
{
	ck_assert_str_eq(FOUND("_cython_3_1_4\0_cython_3_2_0\0"), "3.1.4");
}
END_TEST

START_TEST(at_the_very_end)
{
	ck_assert_str_eq(FOUND("_cython_3"), "3");
	ck_assert_str_eq(FOUND("..._cython_3_1_0a1"), "3.1.0a1");
}
END_TEST

START_TEST(no_version)
{
	ck_assert_str_eq(FOUND(""), "");
	ck_assert_str_eq(FOUND("_"), "");
	ck_assert_str_eq(FOUND("________________"), "");
	ck_assert_str_eq(FOUND("_cython_"), "");
	ck_assert_str_eq(FOUND("_cython_runtime"), "");
	ck_assert_str_eq(FOUND("_cython_a1"), "");
	ck_assert_str_eq(FOUND("cython_3_1_4"), "");
	ck_assert_str_eq(FOUND("_Cython_3_1_4"), "");
	ck_assert_str_eq(FOUND("_cython-3_1_4"), "");
	/* Cut off: the other half is in the next piece. */
	ck_assert_str_eq(FOUND("text_cytho"), "");
}
END_TEST

START_TEST(long_ones_are_cut)
{
	const char text[] = "_cython_3_1_0_123456789";

	ck_assert_str_eq(found(text, sizeof(text) - 1, 6), "3.1.0");
	ck_assert_str_eq(found(text, sizeof(text) - 1, 2), "3");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cython");
	TCase *tests = tcase_create("find_version");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, releases);
	tcase_add_test(tests, among_other_text);
	tcase_add_test(tests, the_first_counts);
	tcase_add_test(tests, at_the_very_end);
	tcase_add_test(tests, no_version);
	tcase_add_test(tests, long_ones_are_cut);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
