/* base/fmt: text into a fixed buffer. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static char storage[256];
static struct ftsan_buf buf;

static void setup(void)
{
	memset(storage, 'x', sizeof(storage));
	ftsan_buf_init(&buf, storage, sizeof(storage));
}

#define assert_text(expected) ck_assert_str_eq(ftsan_buf_cstr(&buf), expected)

START_TEST(numbers_have_all_their_digits)
{
	ftsan_buf_u64(&buf, 0);
	ftsan_buf_char(&buf, ' ');
	ftsan_buf_u64(&buf, UINT64_MAX);
	ftsan_buf_char(&buf, ' ');
	ftsan_buf_i64(&buf, INT64_MIN);
	ftsan_buf_char(&buf, ' ');
	ftsan_buf_i64(&buf, -7);
	assert_text("0 18446744073709551615 -9223372036854775808 -7");
}
END_TEST

START_TEST(hex_is_lower_case_without_leading_zeros)
{
	ftsan_buf_hex(&buf, 0);
	ftsan_buf_char(&buf, ' ');
	ftsan_buf_hex(&buf, 0x7f0aULL);
	ftsan_buf_char(&buf, ' ');
	ftsan_buf_hex(&buf, UINT64_MAX);
	assert_text("0x0 0x7f0a 0xffffffffffffffff");
}
END_TEST

START_TEST(decimals_and_fingerprints_have_all_their_zeros)
{
	ftsan_buf_decimal(&buf, 1000005, 6);
	ftsan_buf_char(&buf, ' ');
	ftsan_buf_decimal(&buf, 0, 3);
	ftsan_buf_char(&buf, ' ');
	ftsan_buf_hex16(&buf, 0xaf);
	assert_text("1.000005 0.000 00000000000000af");
}
END_TEST

START_TEST(json_escapes_what_json_forbids)
{
	ftsan_buf_json(&buf, "a\"b\\c\nd\te\001");
	assert_text("\"a\\\"b\\\\c\\nd\\te\\u0001\"");
}
END_TEST

START_TEST(json_keeps_utf8)
{
	ftsan_buf_json(&buf, "gr\xc3\xb6\xc3\x9f\x65 \xf0\x9f\x90\x8d");
	assert_text("\"gr\xc3\xb6\xc3\x9f\x65 \xf0\x9f\x90\x8d\"");
}
END_TEST

START_TEST(json_replaces_what_is_not_utf8)
{
	/* A stray continuation, an overlong slash, a surrogate, a cut sequence. */
	ftsan_buf_json(&buf, "\x80|\xc0\xaf|\xed\xa0\x80|\xc3");
	assert_text("\"\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\"");
}
END_TEST

START_TEST(overflow_is_told_and_stays_inside)
{
	ftsan_buf_init(&buf, storage, 4);
	ftsan_buf_str(&buf, "abcdef");
	ck_assert(buf.truncated);
	ck_assert_uint_eq(buf.length, 4);
	ck_assert_int_eq(storage[4], 'x');
	assert_text("abc");
}
END_TEST

START_TEST(what_fits_is_not_truncated)
{
	ftsan_buf_init(&buf, storage, 4);
	ftsan_buf_str(&buf, "abc");
	assert_text("abc");
	ck_assert(!buf.truncated);
}
END_TEST

START_TEST(no_storage_at_all)
{
	ftsan_buf_init(&buf, storage, 0);
	ftsan_buf_str(&buf, "a");
	ck_assert(buf.truncated);
	assert_text("");
	ck_assert_int_eq(storage[0], 'x');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fmt");
	TCase *tests = tcase_create("fmt");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, numbers_have_all_their_digits);
	tcase_add_test(tests, hex_is_lower_case_without_leading_zeros);
	tcase_add_test(tests, decimals_and_fingerprints_have_all_their_zeros);
	tcase_add_test(tests, json_escapes_what_json_forbids);
	tcase_add_test(tests, json_keeps_utf8);
	tcase_add_test(tests, json_replaces_what_is_not_utf8);
	tcase_add_test(tests, overflow_is_told_and_stays_inside);
	tcase_add_test(tests, what_fits_is_not_truncated);
	tcase_add_test(tests, no_storage_at_all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
