/* statics: which pages a call of the kernel comes to, whatever size the program gives; and
 * what was not seen. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"
#include "statics/config.h"
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

static void expect_unread(const char *expected)
{
	char storage[256];
	struct ftsan_buf line;

	ftsan_buf_init(&line, storage, sizeof(storage));
	ftsan_statics_record_unread(&line);
	ck_assert_str_eq(ftsan_buf_cstr(&line), expected);
}

START_TEST(unseen_loads_are_told_of_after_a_detach)
{
	static struct ftsan_module file = {.path = "/somewhere/halves.so"};
	uint16_t index;
	struct static_module *module = static_module_add(&index);

	ck_assert_ptr_nonnull(module);
	module->module = &file;
	atomic_store(&static_switch.on, true);
	expect_unread("");
	atomic_store(&module->unread, 2);
	atomic_store(&static_switch.halted, true);
	expect_unread(",\"statics_unread\":{\"words\":2,\"modules\":[\"halves.so\"]}");
	atomic_store(&static_switch.on, false);
	expect_unread("");
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
	tcase_add_test(tests, unseen_loads_are_told_of_after_a_detach);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
