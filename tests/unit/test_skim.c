/* skim: what it says of a line is what the parser says; where it can't know, it passes.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/escape.h"
#include "common/names.h"
#include "log/skim.h"

static bool skims(struct ftsan_skim *skim, const char *line)
{
	return ftsan_skim(skim, line, strlen(line));
}

START_TEST(fields_of_a_record)
{
	struct ftsan_skim skim;

	ck_assert(skims(&skim, "{ \"v\" : 1 , \"x\":{\"type\":\"no\",\"v\":[2]},"
			       "\"type\":\"finding\",\"tests\":[\"a\"],\"time\":1.5}"));
	ck_assert(ftsan_skim_is(&skim, FTSAN_SKIM_TYPE, "finding"));
	ck_assert(!ftsan_skim_is(&skim, FTSAN_SKIM_TYPE, "findings"));
	ck_assert(!ftsan_skim_is(&skim, FTSAN_SKIM_KIND, ""));
	ck_assert_uint_eq(skim.fields[FTSAN_SKIM_V].length, 1);
	ck_assert(!skim.fields[FTSAN_SKIM_V].string);
	ck_assert_mem_eq(skim.fields[FTSAN_SKIM_TIME].text, "1.5", 3);
	ck_assert_uint_eq(skim.fields[FTSAN_SKIM_TESTS].length, 5);
}
END_TEST

START_TEST(it_gives_up_on_what_it_does_not_know)
{
	static const char *const lines[] = {
		"",
		"[]",
		"{",
		"{}x",
		"{\"a\":\"\\u0041\"}",
		"{\"a\":\"\xc3\xa4\"}",
		"{\"type\":\"a\\\\b\"}",
		"{\"ty\\\\pe\":\"a\"}",
		"{\"a\":1e5}",
		"{\"a\":01}",
		"{\"a\":123456789012345678901}",
		"{\"a\":\"\x01\"}",
		"{\"a\":tru}",
		"{\"a\" 1}",
		"{\"a\":1,}",
		"{\"a\":[1,]}",
		"{\"a\":-}",
		"{\"a\":1.}",
		"{a:1}",
	};
	struct ftsan_skim skim;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(!skims(&skim, lines[i]), "%s", lines[i]);
}
END_TEST

/* Whatever it accepts, the parser accepts, with the same type. */
START_TEST(it_accepts_nothing_that_is_no_json)
{
	static const char seed[] =
		"{\"v\":1,\"type\":\"finding\",\"a\":[1,-2.5,true,null,"
		"{\"b\":\"c\\n\"}],\"time\":17.25,\"kind\":\"race\"}";
	unsigned state = 99, accepted = 0;
	char line[sizeof(seed)];
	struct ftsan_skim skim;

	for (int round = 0; round < 200000; round++) {
		json_t *json;

		memcpy(line, seed, sizeof(seed));
		for (int i = 0; i < 2; i++) {
			state = state * 1103515245 + 12345;
			line[(state >> 8) % (sizeof(seed) - 1)] =
				"{}[],:\"\\0159.-entruls \x80"[state >> 24 & 23];
		}
		if (!skims(&skim, line))
			continue;
		accepted++;
		json = json_loads(line, 0, NULL);
		ck_assert_msg(json != NULL, "%s", line);
		if (skim.fields[FTSAN_SKIM_TYPE].string)
			ck_assert(ftsan_skim_is(
				&skim, FTSAN_SKIM_TYPE,
				json_string_value(json_object_get(json, "type"))));
		json_decref(json);
	}
	ck_assert_uint_gt(accepted, 1000);
}
END_TEST

START_TEST(no_byte_past_the_end_is_read)
{
	static const char line[] = "{\"v\":1,\"type\":\"end\",\"x\":[\"a\\n\",1.5]}";

	for (size_t length = 0; length < strlen(line); length++) {
		char *exact = malloc(length > 0 ? length : 1);
		struct ftsan_skim skim;

		memcpy(exact, line, length);
		ck_assert(!ftsan_skim(&skim, exact, length));
		free(exact);
	}
}
END_TEST

START_TEST(names_have_numbers)
{
	struct ftsan_names names = {.n = 0};
	char text[32];

	ck_assert_int_eq(ftsan_names_find(&names, "0"), FTSAN_NO_NAME);
	for (unsigned round = 1; round <= 2; round++) {
		for (unsigned i = 0; i < 10000; i++) {
			snprintf(text, sizeof(text), "%u", i);
			ck_assert_uint_eq(ftsan_names_add(&names, text, i), i);
		}
	}
	ck_assert_uint_eq(names.n, 10000);
	ck_assert_uint_eq(names.counts[77], 154);
	ck_assert_int_eq(ftsan_names_find(&names, "9999"), 9999);
	ck_assert_int_eq(ftsan_names_find(&names, "x"), FTSAN_NO_NAME);
	ftsan_names_release(&names);
}
END_TEST

static char *written(void (*put)(FILE *, const char *), const char *text)
{
	char *result = NULL;
	size_t length;
	FILE *out = open_memstream(&result, &length);

	put(out, text);
	fclose(out);
	return result;
}

START_TEST(escapes)
{
	static const struct {
		void (*put)(FILE *, const char *);
		const char *text, *escaped;
	} cases[] = {
		{ftsan_put_xml, "<a b='c'>&\"", "&lt;a b=&#39;c&#39;&gt;&amp;&quot;"},
		{ftsan_put_xml, "a\x01\x7f\nb\tc", "a??\nb\tc"},
		{ftsan_put_xml, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		 "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
		{ftsan_put_xml, "\xc3\xff\xed\xa0\x80\xc0\xaf|\xc2\x85|\xef\xbf\xbe",
		 "???"
		 "??"
		 "??|?|?"},
		{ftsan_put_xml, NULL, ""},
		{ftsan_put_csv, "a\"b,c", "\"a\"\"b,c\""},
		{ftsan_put_csv, "=1+1", "\"'=1+1\""},
		{ftsan_put_csv, "a\r\nb", "\"a??b\""},
		{ftsan_put_csv, NULL, "\"\""},
		{ftsan_put_github_message, "a%b\r\nc:d,e\x1b", "a%25b%0D%0Ac:d,e?"},
		{ftsan_put_github_property, "a%b\nc:d,e", "a%25b%0Ac%3Ad%2Ce"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = written(cases[i].put, cases[i].text);

		ck_assert_str_eq(text, cases[i].escaped);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("skim");
	TCase *tests = tcase_create("skim");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, fields_of_a_record);
	tcase_add_test(tests, it_gives_up_on_what_it_does_not_know);
	tcase_add_test(tests, it_accepts_nothing_that_is_no_json);
	tcase_add_test(tests, no_byte_past_the_end_is_read);
	tcase_add_test(tests, names_have_numbers);
	tcase_add_test(tests, escapes);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
