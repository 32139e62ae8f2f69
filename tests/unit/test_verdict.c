/* verdict: what a run was worth, by what is known of its processes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "results/results.h"

/* A process that saw: each test takes something away. */
static struct ftsan_sight_question seeing(void)
{
	return (struct ftsan_sight_question){
		.python_known = true,
		.told = true,
		.numpy = true,
		.extensions = 12,
		.threads = 2,
		.buffers_seen = 100,
		.race = 50,
	};
}

START_TEST(races_need_threads_and_no_gil)
{
	struct ftsan_sight_question q = seeing();

	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_SEES);
	q.gil_on = true;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_GIL);
	q = seeing();
	q.threads = 1;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_ONE_THREAD);
}
END_TEST

START_TEST(hazards_need_neither)
{
	struct ftsan_sight_question q = seeing();

	q.latent = true;
	q.race = 0;
	q.anytime = 1;
	q.gil_on = true;
	q.threads = 1;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_SEES);
	q.anytime = 0;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_SHORT);
}
END_TEST

START_TEST(an_unknown_python_is_the_gravest)
{
	struct ftsan_sight_question q = seeing();

	q.python_known = false;
	q.engines_off = true;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_PYTHON);
	q.python_known = true;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_ENGINES);
	q.engines_off = false;
	q.told = false;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_UNTOLD);
}
END_TEST

START_TEST(nothing_to_be_seen)
{
	struct ftsan_sight_question q = seeing();

	q.race = 0;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_SHORT);
	q.buffers_seen = 0;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_NO_ARRAY);
	q.numpy = false;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_NOT_COVERED);
	/* The sampler is for any module, and begins with the second thread. */
	q.sampled = true;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_ONE_IN_CODE);
	q.latent = true;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_NOT_COVERED);
	q.extensions = 0;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_NO_EXTENSION);
}
END_TEST

START_TEST(a_suppressed_finding_was_seen)
{
	struct ftsan_sight_question q = seeing();

	q.told = false;
	q.race = 0;
	q.findings = 1;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_SEES);
	/* A crash is found without engines, too. */
	q.engines_off = true;
	ck_assert_int_eq(ftsan_sight_judge(&q), FTSAN_BLIND_ENGINES);
}
END_TEST

START_TEST(who_finds_is_not_blind)
{
	struct ftsan_verdict_question q = {.findings = 1};

	ck_assert_int_eq(ftsan_verdict_judge(&q), FTSAN_VERDICT_FOUND);
	q.findings = 0;
	ck_assert_int_eq(ftsan_verdict_judge(&q), FTSAN_VERDICT_NOTHING_WATCHED);
	q.seeing = 1;
	ck_assert_int_eq(ftsan_verdict_judge(&q), FTSAN_VERDICT_CLEAN);
}
END_TEST

/* --- from logs ------------------------------------------------------------------------
 */

static struct ftsan_session session;
static struct ftsan_source source;

static void setup(void)
{
	memset(&session, 0, sizeof(session));
	ftsan_source_init(&source, true);
}

static void teardown(void)
{
	ftsan_session_release(&session);
}

static void line(const char *text)
{
	ftsan_session_line(&session, &source, text, strlen(text));
}

static void assert_verdict(enum ftsan_verdict verdict, const char *words)
{
	char *text;

	ftsan_source_finish(&session, &source);
	ck_assert_int_eq(ftsan_verdict_of(&session), verdict);
	text = ftsan_verdict_text(&session, "no process");
	ck_assert_msg(strstr(text, words) != NULL, "%s", text);
	free(text);
}

#define PROCESS "{\"v\":1,\"type\":\"process\",\"pid\":1,\"gil\":\"off\"}"
#define EXTENSIONS                                                                       \
	"\"extensions\":{\"n\":2,\"numpy\":true,\"some\":[\"_multiarray_umath\",\"b\"]}"

START_TEST(no_process)
{
	assert_verdict(FTSAN_VERDICT_NOTHING_WATCHED, "NOTHING WATCHED (no process)");
}
END_TEST

START_TEST(clean_in_words)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"coverage\",\"operating_threads\":3,\"watched\":["
	     "{\"engine\":\"guard\",\"what\":\"arrays (%)\",\"n\":7,\"race\":true},"
	     "{\"engine\":\"new\",\"what\":\"anything\",\"n\":1,\"race\":false}]"
	     "," EXTENSIONS "}");
	assert_verdict(FTSAN_VERDICT_CLEAN, "CLEAN (watched: arrays (7), anything)");
}
END_TEST

/* What needs two threads does not count for one. */
START_TEST(one_thread)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"coverage\",\"operating_threads\":1,\"watched\":["
	     "{\"engine\":\"guard\",\"what\":\"arrays "
	     "(%)\",\"n\":7,\"race\":true}]," EXTENSIONS "}");
	assert_verdict(FTSAN_VERDICT_NOTHING_WATCHED, "only one thread");
}
END_TEST

START_TEST(gil_on_at_the_end)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"coverage\",\"operating_threads\":3,\"gil\":\"on\","
	     "\"watched\":[{\"engine\":\"guard\",\"what\":\"arrays (%)\",\"n\":7,"
	     "\"race\":true}]," EXTENSIONS "}");
	assert_verdict(FTSAN_VERDICT_NOTHING_WATCHED, "the GIL was on");
}
END_TEST

START_TEST(python_not_known)
{
	line("{\"v\":1,\"type\":\"process\",\"pid\":1,\"python\":\"3.16.0\","
	     "\"python_frames\":false,\"python_refused\":\"too new\"}");
	line("{\"v\":1,\"type\":\"coverage\"}");
	assert_verdict(FTSAN_VERDICT_NOTHING_WATCHED,
		       "CPython 3.16.0 is not known to this ftsan, too new");
}
END_TEST

/* One that sees makes the run one that saw; the others are told of. */
START_TEST(one_of_two_sees)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	line("{\"v\":1,\"type\":\"process\",\"pid\":1,\"python_frames\":false}");
	line("{\"v\":1,\"type\":\"coverage\"}");
	line(PROCESS);
	line("{\"v\":1,\"type\":\"coverage\",\"buffers_published\":4}");
	assert_verdict(FTSAN_VERDICT_CLEAN, "CLEAN");
	out = open_memstream(&text, &length);
	ftsan_verdict_write_blind(out, &session);
	fclose(out);
	ck_assert_msg(strstr(text, "NOTHING WATCHED in 1 of 2 processes") != NULL, "%s",
		      text);
	free(text);
}
END_TEST

START_TEST(names_that_are_not_covered)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"coverage\",\"watched\":[],\"extensions\":{\"n\":1,"
	     "\"numpy\":false,\"some\":[\"_multidict\"]}}");
	assert_verdict(FTSAN_VERDICT_NOTHING_WATCHED, "loaded: _multidict");
}
END_TEST

START_TEST(one_thread_where_the_sampler_was_on)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"engine\",\"name\":\"sampler\",\"active\":true}");
	line("{\"v\":1,\"type\":\"coverage\",\"watched\":[],\"extensions\":{\"n\":1,"
	     "\"numpy\":false,\"some\":[\"_multidict\"]}}");
	assert_verdict(FTSAN_VERDICT_NOTHING_WATCHED,
		       "no more than one thread was seen in code of extension modules "
		       "(loaded: _multidict), and a race takes two: ");
}
END_TEST

/* Foreign data: nothing of it may be taken for what it is not. */
START_TEST(odd_records)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"coverage\",\"operating_threads\":\"many\",\"watched\":["
	     "1,null,{},{\"what\":3,\"n\":9},{\"what\":\"x\",\"n\":-4},{\"what\":\"%s\"}]"
	     ","
	     "\"extensions\":[]}");
	assert_verdict(FTSAN_VERDICT_NOTHING_WATCHED, "NOTHING WATCHED (");
}
END_TEST

/* Is @words in what nobody watched, with these engines? */
static bool is_unwatched(const char *words)
{
	char *text = ftsan_verdict_unwatched(&session);
	bool there = strstr(text, words) != NULL;

	free(text);
	return there;
}

START_TEST(what_nobody_watches)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"engine\",\"name\":\"statics\",\"active\":true}");
	line("{\"v\":1,\"type\":\"engine\",\"name\":\"sampler\",\"active\":false}");
	ftsan_source_finish(&session, &source);
	ck_assert(is_unwatched("array data"));
	ck_assert(!is_unwatched("static variables"));
}
END_TEST

START_TEST(who_samples_sees_statics)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"engine\",\"name\":\"sampler\",\"active\":true}");
	ftsan_source_finish(&session, &source);
	ck_assert(!is_unwatched("array data"));
	ck_assert(!is_unwatched("static variables"));
	ck_assert(is_unwatched("headers of arrays"));
}
END_TEST

START_TEST(neither_sees_statics)
{
	line(PROCESS);
	line("{\"v\":1,\"type\":\"engine\",\"name\":\"guard\",\"active\":true}");
	ftsan_source_finish(&session, &source);
	ck_assert(is_unwatched("static variables"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verdict");
	TCase *rules = tcase_create("rules"), *logs = tcase_create("logs");
	SRunner *runner;
	int failed;

	tcase_add_test(rules, races_need_threads_and_no_gil);
	tcase_add_test(rules, hazards_need_neither);
	tcase_add_test(rules, an_unknown_python_is_the_gravest);
	tcase_add_test(rules, nothing_to_be_seen);
	tcase_add_test(rules, a_suppressed_finding_was_seen);
	tcase_add_test(rules, who_finds_is_not_blind);
	tcase_add_checked_fixture(logs, setup, teardown);
	tcase_add_test(logs, no_process);
	tcase_add_test(logs, clean_in_words);
	tcase_add_test(logs, one_thread);
	tcase_add_test(logs, gil_on_at_the_end);
	tcase_add_test(logs, python_not_known);
	tcase_add_test(logs, one_of_two_sees);
	tcase_add_test(logs, names_that_are_not_covered);
	tcase_add_test(logs, one_thread_where_the_sampler_was_on);
	tcase_add_test(logs, odd_records);
	tcase_add_test(logs, what_nobody_watches);
	tcase_add_test(logs, who_samples_sees_statics);
	tcase_add_test(logs, neither_sees_statics);
	suite_add_tcase(suite, rules);
	suite_add_tcase(suite, logs);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
