/* statics: what a call of the kernel is told to write to, whatever size the program gives. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"
#include "statics/statics.h"
#include "statics/store.h"

#define BEGIN ((uintptr_t)1 << 30)
#define END (BEGIN + 4 * FTSAN_PAGE)
static struct ftsan_statics_call call;

static void set_up(void)
{
	ck_assert_int_eq(static_table_init(), 0);
	ck_assert_ptr_nonnull(static_page_add(END - FTSAN_PAGE, 0));
	atomic_store(&ftsan_statics_lowest, BEGIN);
	atomic_store(&ftsan_statics_highest, END);
}

static void tell(uintptr_t address, size_t size_bytes)
{
	call.n = 0;
	ftsan_statics_kernel(&call, (const void *)address, size_bytes, false);
}

START_TEST(pages_of_the_bytes_and_no_others)
{
	tell(BEGIN, 3 * FTSAN_PAGE);
	ck_assert_uint_eq(call.n, 0);
	tell(BEGIN, 3 * FTSAN_PAGE + 1);
	ck_assert_uint_eq(call.n, 1);
	ftsan_statics_kernel_end(&call);
	tell(END, 1);
	ck_assert_uint_eq(call.n, 0);
}
END_TEST

/* Page by page it would take hours, and SIZE_MAX would wrap to no page at all. */
START_TEST(a_size_may_be_any_number)
{
	tell(BEGIN, SIZE_MAX / 2);
	ck_assert_uint_eq(call.n, 1);
	ftsan_statics_kernel_end(&call);
	tell(BEGIN + 1, SIZE_MAX);
	ck_assert_uint_eq(call.n, 1);
	ftsan_statics_kernel_end(&call);
	ftsan_statics_leave_open(END, SIZE_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("static_area");
	TCase *tests = tcase_create("sizes");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, NULL);
	tcase_add_test(tests, pages_of_the_bytes_and_no_others);
	tcase_add_test(tests, a_size_may_be_any_number);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
