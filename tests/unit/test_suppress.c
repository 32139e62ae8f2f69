/* pattern, suppress: what a pattern matches, what a line of a file means. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/pattern.h"
#include "suppressions/suppress.h"

START_TEST(patterns)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"", "", true},
		{"", "abc", true},
		{"b", "abc", true},
		{"abcd", "abc", false},
		{"^b", "abc", false},
		{"^a", "abc", true},
		{"^", "", true},
		{"$", "", true},
		{"^$", "", true},
		{"^$", "a", false},
		{"c$", "abc", true},
		{"b$", "abc", false},
		{"^abc$", "abc", true},
		{"^abc$", "abcabc", false},
		{"abc$", "abcabc", true},
		{"a*c", "abbbc", true},
		{"a*c$", "abcbd", false},
		{"a*c$", "abcbc", true},
		{"^a*b*c$", "aXbYbZc", true},
		{"^*$", "anything", true},
		{"*", "", true},
		{"**", "a", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"?", "", false},
		{"^???$", "abc", true},
		{"^???$", "abcd", false},
		{"a\\*c", "abc", false},
		{"a\\*c", "a*c", true},
		{"\\?", "?", true},
		{"\\?", "a", false},
		{"\\^a", "^a", true},
		{"\\^a", "a", false},
		{"a\\$", "a$b", true},
		{"a\\$", "a", false},
		{"a\\\\$", "a\\", true},
		{"a\\\\$", "a\\b", false},
		{"a^b", "a^b", true},
		{"a$b", "a$b", true},
		{"a\\", "a\\", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(ftsan_pattern_matches(cases[i].pattern, cases[i].text) ==
				      cases[i].matches,
			      "'%s' in '%s'", cases[i].pattern, cases[i].text);
}
END_TEST

/* The plain definition, for patterns of '*', '?', letters, and both anchors. */
static bool slow_here(const char *pattern, const char *text, bool to_end)
{
	if (*pattern == '\0')
		return !to_end || *text == '\0';
	if (*pattern == '*')
		return slow_here(pattern + 1, text, to_end) ||
		       (*text != '\0' && slow_here(pattern, text + 1, to_end));
	return *text != '\0' && (*pattern == '?' || *pattern == *text) &&
	       slow_here(pattern + 1, text + 1, to_end);
}

static bool slow_match(const char *pattern, const char *text)
{
	char body[32];
	size_t length;
	bool to_end;

	snprintf(body, sizeof(body), "%s", *pattern == '^' ? pattern + 1 : pattern);
	length = strlen(body);
	to_end = length > 0 && body[length - 1] == '$';
	if (to_end)
		body[length - 1] = '\0';
	for (;; text++) {
		if (slow_here(body, text, to_end))
			return true;
		if (*pattern == '^' || *text == '\0')
			return false;
	}
}

START_TEST(patterns_agree_with_the_plain_definition)
{
	char pattern[12], text[12];
	unsigned state = 12345, n = 0;

	for (int round = 0; round < 200000; round++) {
		for (size_t i = 0; i < sizeof(pattern) - 1; i++) {
			state = state * 1103515245 + 12345;
			pattern[i] = "ab*?ab*\0"[state >> 20 & 7];
			text[i] = "abab\0aba"[state >> 24 & 7];
		}
		pattern[sizeof(pattern) - 1] = text[sizeof(text) - 1] = '\0';
		if (state & 1 << 16)
			pattern[0] = '^';
		if ((state & 1 << 17) && strlen(pattern) > 1)
			pattern[strlen(pattern) - 1] = '$';
		n += slow_match(pattern, text);
		ck_assert_msg(ftsan_pattern_matches(pattern, text) ==
				      slow_match(pattern, text),
			      "'%s' in '%s'", pattern, text);
	}
	ck_assert_uint_gt(n, 10000);
}
END_TEST

START_TEST(a_hostile_pattern_takes_no_ages)
{
	char text[2001], pattern[401];
	clock_t began = clock();

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "a*", 2);
	pattern[sizeof(pattern) - 2] = 'b';
	pattern[sizeof(pattern) - 1] = '\0';
	ck_assert(!ftsan_pattern_matches(pattern, text));
	ck_assert_int_lt((clock() - began) / CLOCKS_PER_SEC, 5);
}
END_TEST

START_TEST(quoted_text_matches_itself_only)
{
	static const char *const texts[] = {"",	     "a",    "a*b",	  "?",	  "^a$",
					    "a\\b$", "x #y", "operator*", "a\\\\"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *quoted = ftsan_pattern_quote(texts[i]);

		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++)
			ck_assert_msg(ftsan_pattern_matches(quoted, texts[j]) == (i == j),
				      "%s in %s", quoted, texts[j]);
		free(quoted);
	}
}
END_TEST

static struct ftsan_suppressions list;

static int read_text(const char *text, const char *today)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int error;

	ck_assert_ptr_nonnull(file);
	ftsan_suppressions_release(&list);
	error = ftsan_suppressions_read_stream(&list, file, "f", today);
	fclose(file);
	return error;
}

START_TEST(lines_of_a_file)
{
	ck_assert_int_eq(read_text("# all of it\n"
				   "\n"
				   "  race:a b  \r\n"
				   "race_top: {lambda()#1}\t# why\n"
				   "module:m until=2026-11-22\n"
				   "test:t[x=1] # until=2000-01-01\n"
				   "kind:race\n"
				   "fingerprint:0123456789abcdef",
				   "2026-11-22"),
			 0);
	ck_assert_uint_eq(list.n, 6);
	ck_assert_str_eq(list.list[0].pattern, "a b");
	ck_assert_str_eq(list.list[0].place, "f:3");
	ck_assert_str_eq(list.list[0].text, "race:a b");
	ck_assert_str_eq(list.list[1].pattern, "{lambda()#1}");
	ck_assert_str_eq(list.list[2].pattern, "m");
	ck_assert_str_eq(list.list[2].text, "module:m until=2026-11-22");
	ck_assert_str_eq(list.list[3].pattern, "t[x=1]");
	ck_assert_str_eq(list.list[4].pattern, "^race$");
	ck_assert_int_eq(list.list[5].type, FTSAN_SUPPRESS_FINGERPRINT);
	for (size_t i = 0; i < list.n; i++)
		ck_assert(!list.list[i].expired);
	ftsan_suppressions_release(&list);
}
END_TEST

START_TEST(a_line_holds_to_the_end_of_its_day)
{
	static const char text[] = "race:a until=2026-11-22\n";

	ck_assert_int_eq(read_text(text, "2026-11-22"), 0);
	ck_assert(!list.list[0].expired);
	ck_assert_int_eq(read_text(text, "2026-11-23"), 0);
	ck_assert(list.list[0].expired);
	ck_assert_int_eq(read_text(text, "2025-12-31"), 0);
	ck_assert(!list.list[0].expired);
	ftsan_suppressions_release(&list);
}
END_TEST

START_TEST(bad_lines)
{
	static const char *const lines[] = {
		"race",
		":x",
		"race:",
		"RACE:x",
		"race:x until=",
		"race:x until=2026-13-01",
		"race:x until=2026-02-30",
		"race:x until=2026-11-22x",
		"race:x y=1",
		"race:until=2026-11-22",
		"fingerprint:xyz",
		"signal:x",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(read_text(lines[i], "2026-11-22") == -EINVAL, "%s",
			      lines[i]);
	ck_assert_int_eq(ftsan_suppressions_read(&list, "/nonexistent/f", "2026-11-22"),
			 -ENOENT);
	ftsan_suppressions_release(&list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("suppress");
	TCase *tests = tcase_create("suppress");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, patterns);
	tcase_add_test(tests, patterns_agree_with_the_plain_definition);
	tcase_add_test(tests, a_hostile_pattern_takes_no_ages);
	tcase_add_test(tests, quoted_text_matches_itself_only);
	tcase_add_test(tests, lines_of_a_file);
	tcase_add_test(tests, a_line_holds_to_the_end_of_its_day);
	tcase_add_test(tests, bad_lines);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
