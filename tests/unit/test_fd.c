/* fd: descriptors of ours among the program's. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/base.h"
#include "descriptors.h"

static struct ftsan_fd fd;

static void take(void)
{
	ck_assert_int_eq(ftsan_fd_take(&fd, open("/dev/null", O_WRONLY)), 0);
}

START_TEST(ours_sits_high_and_is_not_inherited)
{
	int raw = open("/dev/null", O_WRONLY);

	ck_assert_int_eq(ftsan_fd_take(&fd, raw), 0);
	ck_assert_int_ge(ftsan_fd_number(&fd), 100);
	ck_assert_int_eq(fcntl(ftsan_fd_number(&fd), F_GETFD), FD_CLOEXEC);
	/* The low number is the program's again. */
	ck_assert_int_eq(fcntl(raw, F_GETFD), -1);
}
END_TEST

START_TEST(few_descriptors_are_enough)
{
	const struct rlimit few = {64, 64};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	take();
	ck_assert_int_ge(ftsan_fd_number(&fd), 0);
	ck_assert_int_eq(fcntl(ftsan_fd_number(&fd), F_GETFL) & O_ACCMODE, O_WRONLY);
}
END_TEST

START_TEST(nothing_has_no_number)
{
	ck_assert_int_eq(ftsan_fd_number(&fd), -1);
	ftsan_fd_drop(&fd);
	ck_assert_int_lt(ftsan_fd_take(&fd, -1), 0);
	ck_assert_int_eq(ftsan_fd_number(&fd), -1);
}
END_TEST

START_TEST(a_closed_one_is_noticed)
{
	take();
	ck_assert_int_eq(close(ftsan_fd_number(&fd)), 0);
	ck_assert_int_eq(ftsan_fd_number(&fd), -1);
}
END_TEST

START_TEST(a_reused_number_is_not_ours)
{
	int file = scratch_file(), number;

	take();
	number = ftsan_fd_number(&fd);
	ck_assert_int_eq(dup2(file, number), number);
	ck_assert_int_eq(ftsan_fd_number(&fd), -1);
	/* And it is not ours to close. */
	ftsan_fd_drop(&fd);
	ck_assert_int_eq(fcntl(number, F_GETFD), 0);
}
END_TEST

START_TEST(dropping_closes)
{
	int number;

	take();
	number = ftsan_fd_number(&fd);
	ftsan_fd_drop(&fd);
	ck_assert_int_eq(fcntl(number, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(ftsan_fd_number(&fd), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fd");
	TCase *tests = tcase_create("fd");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, ours_sits_high_and_is_not_inherited);
	tcase_add_test(tests, few_descriptors_are_enough);
	tcase_add_test(tests, nothing_has_no_number);
	tcase_add_test(tests, a_closed_one_is_noticed);
	tcase_add_test(tests, a_reused_number_is_not_ours);
	tcase_add_test(tests, dropping_closes);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
