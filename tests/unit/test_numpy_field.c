/* numpy_field: one name for a field of an array's header, whichever engine finds it. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/adapters.h"
#include "base/base.h"
#include "findings/findings.h"

enum { HEAD = 32, HEAD_GIL = 16 };

static unsigned char array[HEAD + 80];
static struct ftsan_object got;

/* The array's dtype is nowhere. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)info;
	if (!ftsan_safe_read_fixup(context))
		_exit(128 + signal);
}

static void setup(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &action, NULL);
}

static bool name(const char *type, uint64_t offset)
{
	ftsan_object_clear(&got);
	return ftsan_header_name_field(type, (uintptr_t)array, offset, &got);
}

static void assert_named(uint64_t offset, const char *field)
{
	ck_assert(name("numpy.ndarray", offset));
	ck_assert_str_eq(got.name, field);
	ck_assert_ptr_nonnull(strstr(got.description, " of a numpy.ndarray"));
	ck_assert_str_eq(got.subject, "");
}

START_TEST(fields_of_an_array)
{
	ftsan_numpy_init(HEAD);
	assert_named(HEAD, "data");
	assert_named(HEAD + 8, "nd");
	assert_named(HEAD + 16, "dimensions");
	assert_named(HEAD + 24, "strides");
	assert_named(HEAD + 32, "base");
	assert_named(72, "descr");
	assert_named(HEAD + 48, "flags");
	assert_named(HEAD + 50, "flags");
	assert_named(HEAD + 64, "_buffer_info");
	ftsan_numpy_init(HEAD_GIL);
	assert_named(HEAD_GIL + 40, "descr");
}
END_TEST

START_TEST(what_is_none)
{
	ftsan_numpy_init(HEAD);
	ck_assert(!name("numpy.ndarray", 0));
	ck_assert(!name("numpy.ndarray", HEAD - 8));
	ck_assert(!name("numpy.ndarray", HEAD + 52)); /* padding behind the flags */
	ck_assert(!name("numpy.ndarray", HEAD + 200));
	ck_assert(!name("numpy.ndarrays", HEAD));
	ck_assert(!name("wrapt.ObjectProxy", HEAD + 40));
	ck_assert_str_eq(got.name, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("numpy_field");
	TCase *tcase = tcase_create("numpy_field");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, fields_of_an_array);
	tcase_add_test(tcase, what_is_none);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
