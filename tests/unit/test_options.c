/* options: the table and the parser. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static struct ftsan_options options, untouched;
static char storage[8192];
static struct ftsan_buf errors;

static void setup(void)
{
	/* Padding is compared below, so both start from the same bytes. */
	memset(&options, 0, sizeof(options));
	memset(&untouched, 0, sizeof(untouched));
	ftsan_options_init(&options);
	ftsan_options_init(&untouched);
	ftsan_buf_init(&errors, storage, sizeof(storage));
}

static unsigned parse(const char *text)
{
	return ftsan_options_parse(&options, text, &errors);
}

/* @text is refused as one bad entry whose message is @message; nothing changes. */
static void assert_refused(const char *text, const char *message)
{
	setup();
	ck_assert_uint_eq(parse(text), 1);
	ck_assert_str_eq(ftsan_buf_cstr(&errors), message);
	ck_assert_mem_eq(&options, &untouched, sizeof(options));
}

START_TEST(defaults_are_those_of_the_table)
{
	ck_assert(!options.help);
	ck_assert(options.enabled);
	ck_assert_uint_eq(options.exitcode, 66);
	ck_assert_uint_eq(options.windows, 8);
	ck_assert_str_eq(options.log, "");
	ck_assert_str_eq(options.store, "auto");
}
END_TEST

START_TEST(nothing_to_parse)
{
	ck_assert_uint_eq(parse(NULL), 0);
	ck_assert_uint_eq(parse(""), 0);
	ck_assert_uint_eq(parse(":::"), 0);
	ck_assert_mem_eq(&options, &untouched, sizeof(options));
	ck_assert_uint_eq(errors.length, 0);
}
END_TEST

START_TEST(entries_are_applied_in_order)
{
	ck_assert_uint_eq(
		parse("windows=3::enabled=0:windows=5:log=/tmp/x.%p:store=pkey:"), 0);
	ck_assert_uint_eq(options.windows, 5);
	ck_assert(!options.enabled);
	ck_assert_str_eq(options.log, "/tmp/x.%p");
	ck_assert_str_eq(options.store, "pkey");
	ck_assert_uint_eq(errors.length, 0);
}
END_TEST

START_TEST(a_former_name_is_taken)
{
	ck_assert_uint_eq(parse("young=7"), 0);
	ck_assert_uint_eq(options.short_lived, 7);
	assert_refused("young=x",
		       "option 'short_lived': 'x' is not a number; it takes 0 to "
		       "60000 buffers\n");
}
END_TEST

START_TEST(booleans_are_words_too)
{
	ck_assert_uint_eq(parse("enabled=false:print=no:stats=yes:keep_gil=true"), 0);
	ck_assert(!options.enabled && !options.print && options.stats &&
		  options.keep_gil);
	assert_refused("enabled=2", "option 'enabled': '2' is neither 0 nor 1\n");
	assert_refused("enabled=", "option 'enabled': '' is neither 0 nor 1\n");
}
END_TEST

START_TEST(a_quoted_value_may_hold_separators)
{
	ck_assert_uint_eq(parse("log='/a:b=\"c':windows=4"), 0);
	ck_assert_str_eq(options.log, "/a:b=\"c");
	ck_assert_uint_eq(options.windows, 4);
	ck_assert_uint_eq(parse("log=\"it's\""), 0);
	ck_assert_str_eq(options.log, "it's");
	ck_assert_uint_eq(parse("log=''"), 0);
	ck_assert_str_eq(options.log, "");
}
END_TEST

START_TEST(bad_quotes_are_refused)
{
	assert_refused("log='/a:windows=4", "option 'log': unfinished quote\n");
	assert_refused("log='a'b", "option 'log': text after the closing quote\n");
	setup();
	/* What follows a badly closed quote is parsed again. */
	ck_assert_uint_eq(parse("log='a'b:windows=4"), 1);
	ck_assert_uint_eq(options.windows, 4);
}
END_TEST

START_TEST(ranges_are_kept)
{
	ck_assert_uint_eq(parse("slots=64:exitcode=255:window_us=0"), 0);
	ck_assert_uint_eq(options.slots, 64);
	assert_refused(
		"slots=63",
		"option 'slots': '63' is out of range; it takes 64 to 1000000 buffers\n");
	assert_refused(
		"exitcode=256",
		"option 'exitcode': '256' is out of range; it takes 0 to 255 status\n");
	assert_refused("slots=99999999999999999999999999",
		       "option 'slots': '99999999999999999999999999' is out of range; "
		       "it takes 64 to 1000000 buffers\n");
}
END_TEST

START_TEST(numbers_are_digits_only)
{
	static const char tail[] = " is not a number; it takes 0 to 100000 windows\n";
	static const char *const values[] = {"", "-1", "+1", "0x10", " 1", "1 ", "1e3"};
	char text[64], message[128];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(text, sizeof(text), "windows=%s", values[i]);
		snprintf(message, sizeof(message), "option 'windows': '%s'%s", values[i],
			 tail);
		assert_refused(text, message);
	}
}
END_TEST

START_TEST(an_unknown_key_gets_the_nearest_name)
{
	assert_refused("windws=3", "unknown option 'windws'; did you mean 'windows'?\n");
	assert_refused("exit_code=3",
		       "unknown option 'exit_code'; did you mean 'exitcode'?\n");
	assert_refused("lgo=x", "unknown option 'lgo'; did you mean 'log'?\n");
	assert_refused("Slots=100", "unknown option 'Slots'; did you mean 'slots'?\n");
	assert_refused("stat", "unknown option 'stat'; did you mean 'stats'?\n");
}
END_TEST

START_TEST(a_far_off_key_gets_none)
{
	assert_refused("halt_on_error=1",
		       "unknown option 'halt_on_error'; help=1 prints those there are\n");
	assert_refused("=1", "unknown option ''; help=1 prints those there are\n");
	assert_refused("a-key-that-is-much-longer-than-any-of-ours=1",
		       "unknown option 'a-key-that-is-much-longer-than-any-of-ours'; "
		       "help=1 prints those there are\n");
}
END_TEST

START_TEST(a_key_alone_is_refused)
{
	assert_refused("stats", "option 'stats': no value; write key=value\n");
}
END_TEST

START_TEST(choices_are_checked)
{
	assert_refused("store=magic", "option 'store': 'magic' is not known; it takes "
				      "auto|pkey|emulate|step\n");
	assert_refused(
		"store=pke",
		"option 'store': 'pke' is not known; it takes auto|pkey|emulate|step\n");
	assert_refused("store=auto|pkey", "option 'store': 'auto|pkey' is not known; it "
					  "takes auto|pkey|emulate|step\n");
}
END_TEST

START_TEST(long_strings_fit_or_are_refused)
{
	char text[FTSAN_OPTION_STRING_MAX + 8] = "log=";

	memset(text + 4, 'a', FTSAN_OPTION_STRING_MAX - 1);
	ck_assert_uint_eq(parse(text), 0);
	ck_assert_uint_eq(strlen(options.log), FTSAN_OPTION_STRING_MAX - 1);
	setup();
	text[4 + FTSAN_OPTION_STRING_MAX - 1] = 'a';
	ck_assert_uint_eq(parse(text), 1);
	ck_assert_str_eq(options.log, "");
}
END_TEST

START_TEST(messages_are_one_line_each)
{
	ck_assert_uint_eq(parse("no\nsuch=1:slots=x:stats=1"), 2);
	ck_assert(options.stats);
	ck_assert_str_eq(ftsan_buf_cstr(&errors),
			 "unknown option 'no?such'; help=1 prints those there are\n"
			 "option 'slots': 'x' is not a number; "
			 "it takes 64 to 1000000 buffers\n");
}
END_TEST

START_TEST(a_small_buffer_for_messages_is_enough_to_count)
{
	ftsan_buf_init(&errors, storage, 8);
	ck_assert_uint_eq(parse("store=x:slots=y:zzzz=1"), 3);
	ck_assert(errors.truncated);
	ck_assert_uint_eq(errors.length, 8);
}
END_TEST

START_TEST(help_names_every_option)
{
	ftsan_options_help(&errors);
	ck_assert(!errors.truncated);
	ftsan_buf_cstr(&errors);
#define FTSAN_OPTION(type, name, default_, min, max, unit, help)                         \
	ck_assert_ptr_nonnull(strstr(storage, "\n  " #name " "));                        \
	ck_assert_ptr_nonnull(strstr(storage, unit " "));                                \
	ck_assert_ptr_nonnull(strstr(storage, " " help "\n"));
#include "base/options.def"
#undef FTSAN_OPTION
	ck_assert_ptr_nonnull(strstr(storage, "66       0..255 status "));
}
END_TEST

START_TEST(help_ends_in_a_small_buffer)
{
	ftsan_buf_init(&errors, storage, 40);
	ftsan_options_help(&errors);
	ck_assert(errors.truncated);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tests = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, defaults_are_those_of_the_table);
	tcase_add_test(tests, nothing_to_parse);
	tcase_add_test(tests, entries_are_applied_in_order);
	tcase_add_test(tests, a_former_name_is_taken);
	tcase_add_test(tests, booleans_are_words_too);
	tcase_add_test(tests, a_quoted_value_may_hold_separators);
	tcase_add_test(tests, bad_quotes_are_refused);
	tcase_add_test(tests, ranges_are_kept);
	tcase_add_test(tests, numbers_are_digits_only);
	tcase_add_test(tests, an_unknown_key_gets_the_nearest_name);
	tcase_add_test(tests, a_far_off_key_gets_none);
	tcase_add_test(tests, a_key_alone_is_refused);
	tcase_add_test(tests, choices_are_checked);
	tcase_add_test(tests, long_strings_fit_or_are_refused);
	tcase_add_test(tests, messages_are_one_line_each);
	tcase_add_test(tests, a_small_buffer_for_messages_is_enough_to_count);
	tcase_add_test(tests, help_names_every_option);
	tcase_add_test(tests, help_ends_in_a_small_buffer);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
