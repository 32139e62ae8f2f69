/* audit: what records of statics add up to, and what is news. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit_write.h"
#include "audit/compare.h"
#include "audit/inventory.h"

/* Every second KiB of code is a function; data below 0x1000 has no name. */
static void name_code(void *unused, const char *module, uint64_t offset,
		      struct ftsan_audit_code *code)
{
	(void)unused;
	(void)module;
	code->function = offset < 0x400 ? "early" : offset < 0x800 ? "late" : NULL;
	code->file = NULL;
}

static const char *name_data(void *unused, const char *module, uint64_t offset)
{
	(void)unused;
	(void)module;
	return offset < 0x1000 ? NULL : offset < 0x2000 ? "table" : "cache";
}

static const struct ftsan_audit_names names = {NULL, name_code, name_data};
static struct ftsan_audit audit;
static struct ftsan_audit_source source;

static void line(const char *text)
{
	ftsan_audit_line(&audit, &source, text, strlen(text));
}

static void begin(const char *run)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"v\":1,\"type\":\"process\",\"run\":\"%s\",\"root\":true,\"python\":"
		 "\"3.14.7\",\"argv\":[\"python\",\"t.py\"]}",
		 run);
	line(text);
	line("{\"v\":1,\"type\":\"statics_module\",\"module\":\"/m/_a.so\",\"build_id\":"
	     "\"ab\",\"begin\":\"0x1000\",\"pages\":2,\"stores\":9,\"sealed_permille\":"
	     "990,\"asks_for_gil\":false}");
}

static void store(unsigned offset, unsigned by, const char *class, const char *grade,
		  const char *more)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"v\":1,\"type\":\"static\",\"module\":\"/m/"
		 "_a.so\",\"offset\":\"0x%x\","
		 "\"by_module\":\"/m/_a.so\",\"by_offset\":\"0x%x\",\"by_stores\":3,"
		 "\"class\":\"%s\",\"grade\":\"%s\",\"threads\":\"one\"%s}",
		 offset, by, class, grade, more);
	line(text);
}

static void end(void)
{
	line("{\"v\":1,\"type\":\"statics_inventory\",\"records\":1,\"left_out\":0}");
}

static void setup(void)
{
	memset(&audit, 0, sizeof(audit));
	memset(&source, 0, sizeof(source));
	audit.names = &names;
}

static void teardown(void)
{
	ftsan_audit_source_finish(&source);
	ftsan_audit_release(&audit);
}

START_TEST(words_and_instructions_of_a_function_are_one_entry)
{
	begin("r");
	store(0x1000, 0x10, "changing", "low", "");
	store(0x1008, 0x14, "torn", "high", ",\"detached\":true");
	store(0x1008, 0x18, "torn", "high", "");
	store(0x1000, 0x410, "changing", "low", "");
	end();
	ftsan_audit_sort(&audit);
	ck_assert_uint_eq(audit.n_entries, 2);
	ck_assert_str_eq(audit.entries[0].name, "table");
	ck_assert_str_eq(audit.entries[0].writer, "early");
	ck_assert_str_eq(audit.entries[0].class, "torn");
	ck_assert_int_eq(audit.entries[0].grade, FTSAN_AUDIT_HIGH);
	ck_assert_uint_eq(audit.entries[0].words.n, 2);
	ck_assert_uint_eq(audit.entries[0].stores, 9);
	ck_assert(audit.entries[0].detached && !audit.entries[0].several);
	ck_assert_str_eq(audit.entries[1].writer, "late");
	ck_assert_str_ne(audit.entries[0].id, audit.entries[1].id);
	ck_assert_uint_eq(audit.complete, 1);
}
END_TEST

START_TEST(the_worst_word_counts_whichever_comes_first)
{
	begin("r");
	store(0x1008, 0x14, "torn", "high", "");
	store(0x1000, 0x10, "locked", "counted", ",\"lock\":\"pthread mutex\"");
	end();
	ck_assert_uint_eq(audit.n_entries, 1);
	ck_assert_str_eq(audit.entries[0].class, "torn");
	ck_assert_uint_eq(audit.entries[0].locks.n, 1);
}
END_TEST

START_TEST(an_inventory_that_is_there_twice_is_one)
{
	char *warning;

	begin("r");
	store(0x1000, 0x10, "changing", "low", "");
	end();
	end();
	ck_assert_uint_eq(audit.complete, 1);
	warning = ftsan_audit_warning(&audit, 0);
	ck_assert_ptr_null(warning);
	begin("r");
	warning = ftsan_audit_warning(&audit, 0);
	ck_assert_ptr_nonnull(strstr(warning, "1 process left no inventory"));
	free(warning);
}
END_TEST

START_TEST(processes_add_up_and_those_of_other_runs_do_not)
{
	audit.run = "r";
	begin("r");
	store(0x1000, 0x10, "changing", "low", "");
	end();
	begin("other");
	store(0x1000, 0x10, "torn", "high", "");
	end();
	begin("r");
	store(0x1000, 0x10, "changing", "low", "");
	ck_assert_uint_eq(audit.processes, 2);
	ck_assert_uint_eq(audit.sealing, 2);
	ck_assert_uint_eq(audit.complete, 1);
	ck_assert_uint_eq(audit.n_entries, 1);
	ck_assert_uint_eq(audit.entries[0].stores, 6);
	ck_assert_int_eq(audit.entries[0].grade, FTSAN_AUDIT_LOW);
}
END_TEST

START_TEST(without_names_the_writer_tells)
{
	begin("r");
	store(0x100, 0x10, "changing", "low", "");
	store(0x108, 0x10, "changing", "low", "");
	store(0x110, 0x900, "changing", "low", ",\"by_start\":\"0x8f0\"");
	store(0x118, 0x904, "changing", "low", ",\"by_start\":\"0x8f0\"");
	end();
	ck_assert_uint_eq(audit.n_entries, 2);
	ck_assert_str_eq(audit.entries[0].name, "");
	ck_assert_str_eq(audit.entries[0].writer, "early");
	ck_assert_str_eq(audit.entries[1].writer, "_a.so+0x8f0");
	ck_assert_uint_eq(audit.entries[1].words.n, 2);
}
END_TEST

START_TEST(libc_is_not_to_blame)
{
	begin("r");
	line("{\"v\":1,\"type\":\"static\",\"module\":\"/m/_a.so\",\"offset\":\"0x1000\","
	     "\"by_module\":\"/lib/libc.so.6\",\"by_offset\":\"0x5\",\"by_stores\":1,"
	     "\"class\":\"torn\",\"grade\":\"high\",\"caller_module\":\"/lib/libc.so.6\","
	     "\"caller_offset\":\"0x9\",\"caller2_module\":\"/m/_a.so\","
	     "\"caller2_offset\":\"0x420\"}");
	ck_assert_uint_eq(audit.n_entries, 1);
	ck_assert_str_eq(audit.entries[0].writer, "late");
	ck_assert_str_eq(audit.entries[0].writer_module, "_a");
}
END_TEST

START_TEST(times_tell_the_tests)
{
	begin("r");
	line("{\"v\":1,\"type\":\"running\",\"time\":10,\"tests\":[\"t::one\"]}");
	line("{\"v\":1,\"type\":\"running\",\"time\":20,\"tests\":[\"t::two\"]}");
	line("{\"v\":1,\"type\":\"running\",\"time\":30,\"tests\":[]}");
	store(0x1000, 0x10, "changing", "low", ",\"times\":[5,10.5,20,31]");
	ck_assert_uint_eq(audit.entries[0].tests.n, 2);
	ck_assert_str_eq(audit.entries[0].tests.texts[0], "t::one");
	ck_assert_str_eq(audit.entries[0].tests.texts[1], "t::two");
}
END_TEST

START_TEST(lines_that_are_none_do_no_harm)
{
	begin("r");
	line("{\"v\":1,\"type\":\"static\",\"module\":");
	line("{\"v\":1,\"type\":\"static\"}");
	line("{\"v\":2,\"type\":\"static\",\"module\":\"/m/_a.so\",\"by_module\":\"/"
	     "a\"}");
	line("{\"v\":1,\"type\":\"static\",\"module\":7,\"by_module\":[],\"offset\":{}}");
	line("{\"v\":1,\"type\":\"running\",\"time\":\"x\",\"tests\":7}");
	store(0x1000, 0x10, "unheard-of", "enormous", ",\"times\":{}");
	ftsan_audit_line(&audit, &source, NULL, 0);
	ck_assert_uint_eq(audit.n_entries, 1);
	ck_assert_int_eq(audit.entries[0].grade, FTSAN_AUDIT_COUNTED);
	ck_assert_str_eq(audit.entries[0].class, "unheard-of");
}
END_TEST

/* What the JSON of an audit says is what the next one is compared with. */
static json_t *written(void)
{
	const struct ftsan_audit_paper paper = {
		.audit = &audit, .nothing = "", .least = FTSAN_AUDIT_MEDIUM};
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	json_t *json;

	ck_assert_ptr_nonnull(out);
	ftsan_audit_sort(&audit);
	ftsan_audit_write_json(out, &paper);
	fclose(out);
	json = json_loads(text, 0, NULL);
	free(text);
	ck_assert_ptr_nonnull(json);
	return json;
}

static const struct ftsan_audit_entry *entry_of(const char *writer, const char *name)
{
	for (size_t i = 0; i < audit.n_entries; i++)
		if (strcmp(audit.entries[i].writer, writer) == 0 &&
		    strcmp(audit.entries[i].name, name) == 0)
			return &audit.entries[i];
	ck_abort_msg("%s of %s is missing", name, writer);
}

START_TEST(news_are_told_from_what_was_known)
{
	json_t *old;

	begin("r");
	store(0x1000, 0x10, "locked", "counted", "");
	store(0x2000, 0x10, "changing", "low", "");
	store(0x2000, 0x410, "torn", "high", "");
	end();
	old = written();
	teardown();
	setup();

	begin("r");
	store(0x1000, 0x10, "torn", "high", "");
	store(0x2000, 0x10, "changing", "low", "");
	store(0x1000, 0x410, "locked", "counted", "");
	store(0x100, 0x410, "changing", "low", "");
	end();
	ck_assert(ftsan_audit_is_one(old));
	ftsan_audit_compare(&audit, old);
	json_decref(old);

	ck_assert_int_eq(entry_of("early", "table")->news, FTSAN_AUDIT_CHANGED);
	ck_assert_str_eq(entry_of("early", "table")->old_class, "locked");
	ck_assert(ftsan_audit_is_bad_news(entry_of("early", "table"), FTSAN_AUDIT_HIGH));
	ck_assert_int_eq(entry_of("early", "cache")->news, FTSAN_AUDIT_SAME);
	ck_assert(!ftsan_audit_is_bad_news(entry_of("early", "cache"), FTSAN_AUDIT_LOW));
	/* New, but locked: that never counts. */
	ck_assert_int_eq(entry_of("late", "table")->news, FTSAN_AUDIT_NEW);
	ck_assert(!ftsan_audit_is_bad_news(entry_of("late", "table"), FTSAN_AUDIT_LOW));
	ck_assert(!ftsan_audit_is_bad_news(entry_of("late", ""), FTSAN_AUDIT_MEDIUM));
	ck_assert(ftsan_audit_is_bad_news(entry_of("late", ""), FTSAN_AUDIT_LOW));
	ck_assert_uint_eq(audit.n_gone, 1);
	ck_assert_str_eq(audit.gone[0].writer, "late");
}
END_TEST

START_TEST(what_got_better_is_no_bad_news)
{
	json_t *old;

	begin("r");
	store(0x1000, 0x10, "torn", "high", "");
	end();
	old = written();
	teardown();
	setup();
	begin("r");
	store(0x1000, 0x10, "counter", "medium", "");
	end();
	ck_assert(ftsan_audit_is_one(old));
	ftsan_audit_compare(&audit, old);
	json_decref(old);
	ck_assert_int_eq(audit.entries[0].news, FTSAN_AUDIT_CHANGED);
	ck_assert(!ftsan_audit_is_bad_news(&audit.entries[0], FTSAN_AUDIT_LOW));
}
END_TEST

START_TEST(what_is_no_audit_is_refused)
{
	static const char *const texts[] = {
		"[]", "{}", "{\"v\":1,\"type\":\"report\",\"modules\":[]}",
		"{\"v\":2,\"type\":\"audit\",\"modules\":[]}",
		"{\"v\":1,\"type\":\"audit\",\"modules\":{}}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *old = json_loads(texts[i], 0, NULL);

		ck_assert(!ftsan_audit_is_one(old));
		json_decref(old);
	}
	ck_assert(!ftsan_audit_is_one(NULL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, words_and_instructions_of_a_function_are_one_entry);
	tcase_add_test(tests, the_worst_word_counts_whichever_comes_first);
	tcase_add_test(tests, an_inventory_that_is_there_twice_is_one);
	tcase_add_test(tests, processes_add_up_and_those_of_other_runs_do_not);
	tcase_add_test(tests, without_names_the_writer_tells);
	tcase_add_test(tests, libc_is_not_to_blame);
	tcase_add_test(tests, times_tell_the_tests);
	tcase_add_test(tests, lines_that_are_none_do_no_harm);
	tcase_add_test(tests, news_are_told_from_what_was_known);
	tcase_add_test(tests, what_got_better_is_no_bad_news);
	tcase_add_test(tests, what_is_no_audit_is_refused);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
