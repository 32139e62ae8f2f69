/* demangle: names in sentences, and what is no name. */
#include <check.h>
#include <stdlib.h>

#include "symbols/symbols.h"

static void expect(const char *text, const char *expected)
{
	char *result = ftsan_demangle_text(text);

	ck_assert_str_eq(result, expected);
	free(result);
}

START_TEST(names_in_a_sentence)
{
	/* Where there is no C++ runtime they stay as they are. */
	char *known = ftsan_demangle("_ZN3geo4initEv");

	if (known == NULL)
		return;
	free(known);
	expect("_ZN3geo4initEv stores to the static _ZN3geoL5tableE[3] of libgeo.so.",
	       "geo::init stores to the static geo::table[3] of libgeo.so.");
	expect("_ZNK3geo7Counter3addEif", "geo::Counter::add");
	expect("_ZN3geo7CounterclEi", "geo::Counter::operator()");
	expect("_ZZN3geo7defaultEvE8instance", "geo::default()::instance");
}
END_TEST

START_TEST(what_is_none_stays)
{
	expect("", "");
	expect("update stores to the static cache.0 of _m.so",
	       "update stores to the static cache.0 of _m.so");
	expect("_Znonsense", "_Znonsense");
	expect("_Z", "_Z");
	expect("a_ZN3geo4initEv", "a_ZN3geo4initEv");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("demangle");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, names_in_a_sentence);
	tcase_add_test(tests, what_is_none_stays);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
