/* log_reader, session, tail: lines of a log, good and bad. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log/log_file.h"
#include "log/log_reader.h"
#include "log/tail.h"
#include "results/results.h"

static const char finding_line[] =
	"{\"v\":1,\"type\":\"finding\",\"id\":\"42-1\",\"time\":1.5,\"kind\":\"race\","
	"\"confidence\":\"confirmed\",\"fingerprint\":\"00112233445566ff\",\"title\":"
	"\"t\","
	"\"gil_forced\":true,\"object\":{\"description\":\"d\",\"address\":\"0x7f0a\","
	"\"word\":1,\"name\":\"dims[1]\",\"old\":-5,\"new\":6,\"shape\":[2,3],"
	"\"dtype\":\"int8\",\"size\":32},\"stacks\":[{\"role\":\"write\",\"tid\":43,"
	"\"thread\":\"T\",\"size\":8,\"address\":\"0x7f10\",\"atomic\":true,\"frames\":["
	"{\"type\":\"native\",\"module\":\"/"
	"m.so\",\"offset\":\"0x12\",\"function\":\"f\"},"
	"{\"type\":\"python\",\"file\":\"a.py\",\"line\":3,\"function\":\"g\"}]},"
	"{\"role\":\"read\",\"frames\":[{\"type\":\"python\",\"file\":\"b.py\"}]}]}";

static int parse(struct ftsan_record *record, const char *line)
{
	return ftsan_record_parse(record, line, strlen(line));
}

START_TEST(a_finding_comes_back_whole)
{
	struct ftsan_record record;
	const struct ftsan_view *view = &record.finding.view;

	ck_assert_int_eq(parse(&record, finding_line), 0);
	ck_assert_int_eq(record.type, FTSAN_RECORD_FINDING);
	ck_assert_int_eq(view->pid, 42);
	ck_assert_str_eq(view->kind, "race");
	ck_assert(view->gil_forced && view->has_old && view->has_new);
	ck_assert_int_eq(view->old_value, -5);
	ck_assert_int_eq(view->n_shape, 2);
	ck_assert_uint_eq(view->address, 0x7f0a);
	ck_assert_uint_eq(view->n_stacks, 2);
	ck_assert_uint_eq(view->stacks[0].n_frames, 2);
	ck_assert_uint_eq(view->stacks[0].frames[0].offset, 0x12);
	ck_assert(view->stacks[0].atomic && view->stacks[0].frames[1].python);
	ck_assert_str_eq(view->stacks[1].frames[0].file, "b.py");
	ftsan_record_clear(&record);
}
END_TEST

START_TEST(the_writer_and_the_reader_agree)
{
	struct ftsan_record record;
	char text[2][4096];
	struct ftsan_buf buf;

	ck_assert_int_eq(parse(&record, finding_line), 0);
	for (int i = 0; i < 2; i++) {
		ftsan_buf_init(&buf, text[i], sizeof(text[i]));
		ftsan_view_json(&buf, &record.finding.view);
		ftsan_buf_cstr(&buf);
		ck_assert(!buf.truncated);
		ftsan_record_clear(&record);
		ck_assert_int_eq(parse(&record, text[i]), 0);
	}
	ck_assert_str_eq(text[0], text[1]);
	ftsan_record_clear(&record);
}
END_TEST

START_TEST(what_is_no_record_is_refused)
{
	static const char *const lines[] = {
		"",
		"not json",
		"[]",
		"3",
		"\"type\"",
		"{}",
		"{\"v\":1}",
		"{\"type\":\"end\"}",
		"{\"v\":\"1\",\"type\":\"end\"}",
		"{\"v\":1,\"type\":7}",
		"{\"v\":1,\"type\":\"end\"",
		"{\"v\":1,\"type\":\"end\"} {}",
		"{\"v\":1,\"type\":\"process\"}",
		"{\"v\":1,\"type\":\"process\",\"pid\":-1}",
		"{\"v\":1,\"type\":\"process\",\"pid\":99999999999}",
		"{\"v\":1,\"type\":\"module\",\"path\":[]}",
		"{\"v\":1,\"type\":\"engine\"}",
		"{\"v\":1,\"type\":\"thread\",\"tid\":\"x\"}",
		"{\"v\":1,\"type\":\"finding\",\"kind\":\"race\"}",
		"{\"v\":1,\"type\":\"finding\",\"kind\":3,\"fingerprint\":\"a\"}",
	};
	struct ftsan_record record;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(parse(&record, lines[i]) == -EBADMSG, "%s", lines[i]);
	ck_assert_int_eq(ftsan_record_parse(&record, "\0\0", 2), -EBADMSG);
	ck_assert_int_eq(parse(&record, "{\"v\":2,\"type\":\"end\"}"), -ENOTSUP);
}
END_TEST

START_TEST(every_prefix_of_a_line_is_refused)
{
	struct ftsan_record record;

	for (size_t length = 0; length < strlen(finding_line); length++)
		ck_assert_int_eq(ftsan_record_parse(&record, finding_line, length),
				 -EBADMSG);
}
END_TEST

START_TEST(fields_of_a_wrong_type_count_as_absent)
{
	struct ftsan_record record;
	const struct ftsan_view *view = &record.finding.view;

	ck_assert_int_eq(
		parse(&record,
		      "{\"v\":1,\"type\":\"finding\",\"kind\":\"k\","
		      "\"fingerprint\":\"f\",\"id\":[],\"time\":\"x\","
		      "\"title\":{},\"gil_forced\":1,\"object\":{\"word\":\"a\","
		      "\"address\":77,\"old\":1.5,\"shape\":[1,\"x\"],"
		      "\"size\":-1,\"name\":false},\"stacks\":[7,"
		      "{\"role\":[],\"tid\":\"x\",\"frames\":{}},"
		      "{\"frames\":[null,{\"line\":\"x\",\"offset\":\"zz\"}]}]}"),
		0);
	ck_assert_int_eq(view->pid, 0);
	ck_assert_ptr_null(view->title);
	ck_assert_ptr_null(view->name);
	ck_assert(!view->gil_forced && !view->has_old && !view->has_new);
	ck_assert_int_eq(view->word, -1);
	ck_assert_int_eq(view->n_shape, -1);
	ck_assert_uint_eq(view->address, 0);
	ck_assert_uint_eq(view->size, 0);
	ck_assert_uint_eq(view->n_stacks, 2);
	ck_assert_uint_eq(view->stacks[0].n_frames, 0);
	ck_assert_uint_eq(view->stacks[1].n_frames, 1);
	ck_assert_int_eq(view->stacks[1].frames[0].line, 0);
	ck_assert_uint_eq(view->stacks[1].frames[0].offset, 0);
	ftsan_record_clear(&record);
}
END_TEST

START_TEST(a_type_of_the_future_is_no_error)
{
	struct ftsan_record record;

	ck_assert_int_eq(parse(&record, "{\"v\":1,\"type\":\"telemetry\",\"x\":1}"), 0);
	ck_assert_int_eq(record.type, FTSAN_RECORD_NONE);
	ftsan_record_clear(&record);
}
END_TEST

/* The session's part: findings of these processes, printed so often. */
static unsigned printed;

static void count_printed(void *argument, const struct ftsan_occurrence *occurrence)
{
	(void)argument;
	(void)occurrence;
	printed++;
}

static void feed(struct ftsan_session *session, struct ftsan_source *source,
		 const char *line)
{
	ftsan_session_line(session, source, line, strlen(line));
	ftsan_source_flush(session, source);
}

#define PROCESS(run) "{\"v\":1,\"type\":\"process\",\"pid\":5,\"run\":\"" run "\"}"
#define FINDING(fingerprint, confidence)                                                 \
	"{\"v\":1,\"type\":\"finding\",\"kind\":\"race\",\"fingerprint\":\"" fingerprint \
	"\",\"confidence\":\"" confidence "\"}"

START_TEST(findings_are_distinct_by_fingerprint)
{
	struct ftsan_session session = {.run = "r", .on_finding = count_printed};
	struct ftsan_source one, two;

	printed = 0;
	ftsan_source_init(&one, true);
	ftsan_source_init(&two, false);
	feed(&session, &one, PROCESS("r"));
	feed(&session, &one, FINDING("a", "probable"));
	feed(&session, &two, PROCESS("r"));
	feed(&session, &two, FINDING("a", "probable"));
	feed(&session, &two, FINDING("b", "latent"));
	ck_assert_uint_eq(printed, 2);
	feed(&session, &two, FINDING("a", "confirmed"));
	ck_assert_uint_eq(printed, 3);
	feed(&session, &two,
	     "{\"v\":1,\"type\":\"end\",\"duplicates\":{\"a\":4,\"b\":\"x\",\"c\":1}}");
	ck_assert_uint_eq(session.n_processes, 2);
	ck_assert_uint_eq(session.n_found, 2);
	ck_assert_str_eq(session.found[0].confidence, "confirmed");
	ck_assert_uint_eq(session.found[0].records, 3);
	ck_assert_uint_eq(session.found[0].processes, 2);
	ck_assert_uint_eq(session.found[0].repeats, 4);
	ck_assert_uint_eq(ftsan_found_count(&session.found[0]), 7);
	ck_assert_uint_eq(session.found[1].repeats, 0);
	ftsan_source_finish(&session, &one);
	ftsan_source_finish(&session, &two);
	ftsan_session_flush(&session);
	ck_assert_uint_eq(printed, 3);
	ftsan_session_release(&session);
}
END_TEST

#define NAMED(fingerprint, also)                                                         \
	"{\"v\":1,\"type\":\"finding\",\"kind\":\"race\",\"fingerprint\":\"" fingerprint \
	"\",\"also\":\"" also "\",\"confidence\":\"latent\",\"evidence\":\"e" also "\"}"

/* The first name is the finding's own; another one's other name will do. */
START_TEST(findings_go_by_two_names)
{
	struct ftsan_session session = {.run = NULL}, other = {.run = NULL};
	struct ftsan_source source, of_other;

	ftsan_source_init(&source, true);
	feed(&session, &source, PROCESS("r"));
	feed(&session, &source, NAMED("a", "x"));
	feed(&session, &source, NAMED("b", "x"));
	ck_assert_uint_eq(session.n_found, 2);
	feed(&session, &source, FINDING("x", "latent"));
	feed(&session, &source, NAMED("c", "a"));
	feed(&session, &source, FINDING("c", "latent"));
	ck_assert_uint_eq(session.n_found, 2);
	ck_assert_uint_eq(session.found[0].records, 4);
	ck_assert_uint_eq(session.found[0].processes, 3);
	ck_assert_uint_eq(session.found[0].evidence.n, 2);
	ftsan_source_init(&of_other, true);
	feed(&other, &of_other, FINDING("c", "latent"));
	feed(&other, &of_other, FINDING("x", "latent"));
	feed(&other, &of_other, FINDING("y", "latent"));
	ck_assert_int_eq(ftsan_session_find_found(&session, &other.found[0]), 0);
	ck_assert_int_eq(ftsan_session_find_found(&session, &other.found[1]), 0);
	ck_assert_int_eq(ftsan_session_find_found(&session, &other.found[2]), -1);
	ck_assert_int_eq(ftsan_session_find_found(&other, &session.found[0]), 1);
	ftsan_source_finish(&session, &source);
	ftsan_source_finish(&other, &of_other);
	ftsan_session_release(&session);
	ftsan_session_release(&other);
}
END_TEST

#define HIDES                                                                            \
	"{\"v\":1,\"type\":\"test\",\"fingerprint\":\"a\",\"tests\":[],"                 \
	"\"suppressed\":\"race:f\"}"

/* What one suppression matches of a process's records is not all that there is. */
START_TEST(a_finding_is_hidden_when_all_its_records_are)
{
	struct ftsan_session session = {.run = NULL};
	struct ftsan_source source;

	ftsan_source_init(&source, true);
	feed(&session, &source, PROCESS("r"));
	feed(&session, &source, FINDING("a", "latent"));
	feed(&session, &source, HIDES);
	ck_assert_uint_eq(session.n_shown, 0);
	feed(&session, &source, FINDING("a", "latent"));
	ck_assert_uint_eq(session.n_shown, 1);
	feed(&session, &source, HIDES);
	ck_assert_uint_eq(session.n_shown, 0);
	feed(&session, &source, FINDING("a", "confirmed"));
	ck_assert_uint_eq(session.n_shown, 1);
	ftsan_source_finish(&session, &source);
	ftsan_session_release(&session);
}
END_TEST

START_TEST(records_of_other_runs_are_left_out)
{
	struct ftsan_session session = {.run = "r", .on_finding = count_printed};
	struct ftsan_source source;

	printed = 0;
	ftsan_source_init(&source, false);
	feed(&session, &source, "torn before anything");
	feed(&session, &source, FINDING("a", "confirmed"));
	feed(&session, &source, PROCESS("other"));
	feed(&session, &source, FINDING("b", "confirmed"));
	feed(&session, &source, "torn in the other run");
	ck_assert_uint_eq(session.n_processes, 0);
	ck_assert_uint_eq(session.n_found, 0);
	ck_assert_uint_eq(session.bad_lines, 0);
	/* The same file, when the pid came around again. */
	feed(&session, &source, PROCESS("r"));
	feed(&session, &source, FINDING("b", "confirmed"));
	feed(&session, &source, "torn in ours");
	ck_assert_uint_eq(session.n_processes, 1);
	ck_assert_uint_eq(session.n_found, 1);
	ck_assert_uint_eq(session.bad_lines, 1);
	ck_assert_uint_eq(printed, 1);
	ftsan_source_finish(&session, &source);
	ftsan_session_release(&session);
}
END_TEST

START_TEST(an_exec_makes_another_process)
{
	struct ftsan_session session = {.run = NULL};
	struct ftsan_source source;

	ftsan_source_init(&source, true);
	feed(&session, &source, PROCESS("r"));
	feed(&session, &source, "{\"v\":1,\"type\":\"end\",\"reason\":\"exec\"}");
	feed(&session, &source, PROCESS("s"));
	ftsan_source_finish(&session, &source);
	ck_assert_uint_eq(session.n_processes, 2);
	ck_assert_uint_eq(session.n_unended, 1);
	ck_assert_int_eq(session.unended[0], 5);
	ftsan_session_release(&session);
}
END_TEST

static bool hides_slow_tests(void *unused, const char *fingerprint, const json_t *tests)
{
	(void)unused;
	ck_assert_str_eq(fingerprint, "a");
	for (size_t i = 0; i < json_array_size(tests); i++)
		if (!strcmp(json_string_value(json_array_get(tests, i)), "slow"))
			return true;
	return false;
}

#define RUNNING(test) "{\"v\":1,\"type\":\"running\",\"tests\":[\"" test "\"]}"
#define TEST(test)                                                                       \
	"{\"v\":1,\"type\":\"test\",\"fingerprint\":\"a\",\"tests\":[\"" test "\"]}"

START_TEST(a_finding_waits_for_its_tests)
{
	struct ftsan_session session = {.on_finding = count_printed,
					.judge_tests = hides_slow_tests};
	struct ftsan_source source;

	printed = 0;
	ftsan_source_init(&source, true);
	feed(&session, &source, PROCESS("r"));
	feed(&session, &source, RUNNING("slow"));
	feed(&session, &source, FINDING("a", "confirmed"));
	ck_assert_uint_eq(printed, 0);
	feed(&session, &source, TEST("slow"));
	ck_assert_uint_eq(session.n_shown, 0);
	/* Another process's, and that one died in the test. */
	feed(&session, &source, PROCESS("r"));
	feed(&session, &source, RUNNING("slow"));
	feed(&session, &source, FINDING("a", "confirmed"));
	feed(&session, &source, PROCESS("r"));
	ck_assert_uint_eq(session.n_shown, 0);
	feed(&session, &source, RUNNING("quick"));
	feed(&session, &source, FINDING("a", "confirmed"));
	ck_assert_uint_eq(printed, 0);
	feed(&session, &source, TEST("quick"));
	ck_assert_uint_eq(printed, 1);
	ck_assert_uint_eq(session.n_shown, 1);
	ftsan_source_finish(&session, &source);
	ftsan_session_flush(&session);
	ck_assert_uint_eq(printed, 1);
	ck_assert_uint_eq(session.found[0].tests.n, 2);
	ck_assert_uint_eq(session.found[0].hidden, 2);
	ftsan_session_release(&session);
}
END_TEST

START_TEST(tests_are_told_of_without_a_plugin_in_the_process)
{
	struct ftsan_session session = {.on_finding = count_printed};
	struct ftsan_source source;

	printed = 0;
	ftsan_source_init(&source, true);
	feed(&session, &source, TEST("unknown"));
	feed(&session, &source, PROCESS("r"));
	feed(&session, &source, FINDING("a", "confirmed"));
	ck_assert_uint_eq(printed, 1);
	feed(&session, &source, "{\"v\":1,\"type\":\"end\"}");
	feed(&session, &source,
	     "{\"v\":1,\"type\":\"test\",\"fingerprint\":\"a\",\"tests\":[\"t\"],"
	     "\"suppressed\":\"race:f\"}");
	ck_assert_uint_eq(session.n_shown, 0);
	ck_assert_str_eq(session.found[0].tests.texts[0], "t");
	ck_assert_str_eq(session.hidden_by.texts[0], "race:f");
	ftsan_source_finish(&session, &source);
	ftsan_session_release(&session);
}
END_TEST

/* The tail's part. */
static char seen[256];

static void note_line(void *argument, const char *text, size_t length)
{
	(void)argument;
	if (text == NULL)
		strcat(seen, "<long>");
	else
		strncat(seen, text, length < 40 ? length : 40);
	strcat(seen, "|");
}

static void append(const char *path, const char *text)
{
	FILE *file = fopen(path, "a");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(a_tail_hands_over_complete_lines_once)
{
	char path[] = "/tmp/ftsan-tail-XXXXXX";
	struct ftsan_tail tail;

	close(mkstemp(path));
	ftsan_tail_init(&tail, path);
	seen[0] = '\0';
	append(path, "one\ntw");
	ck_assert_int_eq(ftsan_tail_read(&tail, note_line, NULL), 0);
	ck_assert_str_eq(seen, "one|");
	ck_assert(ftsan_tail_is_torn(&tail));
	append(path, "o\n\nthree\n");
	ck_assert_int_eq(ftsan_tail_read(&tail, note_line, NULL), 0);
	ck_assert_int_eq(ftsan_tail_read(&tail, note_line, NULL), 0);
	ck_assert_str_eq(seen, "one|two||three|");
	ck_assert(!ftsan_tail_is_torn(&tail));
	ftsan_tail_release(&tail);
	unlink(path);
}
END_TEST

START_TEST(a_tail_survives_a_line_without_end)
{
	char path[] = "/tmp/ftsan-tail-XXXXXX";
	size_t length = 40 << 20;
	char *text = malloc(length + 1);
	struct ftsan_tail tail;

	close(mkstemp(path));
	memset(text, 'a', length);
	text[length] = '\0';
	append(path, "one\n");
	append(path, text);
	append(path, "\ntwo\n");
	free(text);
	ftsan_tail_init(&tail, path);
	seen[0] = '\0';
	ck_assert_int_eq(ftsan_tail_read(&tail, note_line, NULL), 0);
	ck_assert_str_eq(seen, "one|<long>|two|");
	ftsan_tail_release(&tail);
	unlink(path);
}
END_TEST

START_TEST(a_tail_refuses_what_is_no_file)
{
	struct ftsan_tail tail;

	ftsan_tail_init(&tail, "/tmp");
	ck_assert_int_eq(ftsan_tail_read(&tail, note_line, NULL), -EINVAL);
	ftsan_tail_release(&tail);
	ftsan_tail_init(&tail, "/nonexistent/file");
	ck_assert_int_eq(ftsan_tail_read(&tail, note_line, NULL), -ENOENT);
	ftsan_tail_release(&tail);
}
END_TEST

START_TEST(names_of_log_files)
{
	char plain_path[] = "/d/log", pattern_path[] = "/d/l%p.%p.x", directory[] = "/d";
	const struct ftsan_log_file plain = {.path = plain_path, .directory = directory};
	const struct ftsan_log_file pattern = {.path = pattern_path,
					       .directory = directory};

	ck_assert(ftsan_log_file_matches(&plain, "log"));
	ck_assert(ftsan_log_file_matches(&plain, "log.12"));
	ck_assert(!ftsan_log_file_matches(&plain, "log."));
	ck_assert(!ftsan_log_file_matches(&plain, "log.12.bak"));
	ck_assert(!ftsan_log_file_matches(&plain, "log12"));
	ck_assert(!ftsan_log_file_matches(&plain, "lo"));
	ck_assert(ftsan_log_file_matches(&pattern, "l12.12.x"));
	ck_assert(!ftsan_log_file_matches(&pattern, "l12.13.x"));
	ck_assert(!ftsan_log_file_matches(&pattern, "l12.1.x"));
	ck_assert(!ftsan_log_file_matches(&pattern, "l..x"));
	ck_assert(!ftsan_log_file_matches(&pattern, "l%p.%p.x"));
	ck_assert(!ftsan_log_file_matches(&pattern, "l12.12.x2"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_reader");
	TCase *tests = tcase_create("log_reader");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, a_finding_comes_back_whole);
	tcase_add_test(tests, the_writer_and_the_reader_agree);
	tcase_add_test(tests, what_is_no_record_is_refused);
	tcase_add_test(tests, every_prefix_of_a_line_is_refused);
	tcase_add_test(tests, fields_of_a_wrong_type_count_as_absent);
	tcase_add_test(tests, a_type_of_the_future_is_no_error);
	tcase_add_test(tests, findings_are_distinct_by_fingerprint);
	tcase_add_test(tests, findings_go_by_two_names);
	tcase_add_test(tests, a_finding_is_hidden_when_all_its_records_are);
	tcase_add_test(tests, records_of_other_runs_are_left_out);
	tcase_add_test(tests, a_finding_waits_for_its_tests);
	tcase_add_test(tests, tests_are_told_of_without_a_plugin_in_the_process);
	tcase_add_test(tests, an_exec_makes_another_process);
	tcase_add_test(tests, a_tail_hands_over_complete_lines_once);
	tcase_add_test(tests, a_tail_survives_a_line_without_end);
	tcase_add_test(tests, a_tail_refuses_what_is_no_file);
	tcase_add_test(tests, names_of_log_files);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
