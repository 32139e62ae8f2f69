/* log: the file survives what programs and disks do to it. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/base.h"
#include "descriptors.h"
#include "findings/findings.h"

/* Each test writes to a directory of its own. */
static char directory[] = "/tmp/ftsan-log-XXXXXX";
static char content[4096];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static const char *in_directory(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int write_line(const char *text)
{
	char storage[256];
	struct ftsan_buf line;

	ftsan_buf_init(&line, storage, sizeof(storage));
	ftsan_buf_str(&line, text);
	return ftsan_log_write(&line);
}

static const char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, content, sizeof(content) - 1);

	close(fd);
	content[length < 0 ? 0 : length] = '\0';
	return content;
}

static void open_log(void)
{
	ck_assert_int_eq(ftsan_log_open(in_directory("log"), true), 0);
}

#define assert_log(text) ck_assert_str_eq(read_file(in_directory("log")), text)

START_TEST(a_line_is_a_line)
{
	struct stat st;

	open_log();
	ck_assert_int_eq(write_line("{\"a\":1}"), 0);
	ck_assert_int_eq(write_line(""), 0);
	assert_log("{\"a\":1}\n\n");
	ck_assert_int_eq(stat(in_directory("log"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(an_older_log_is_added_to)
{
	open_log();
	ck_assert_int_eq(write_line("one"), 0);
	open_log();
	ck_assert_int_eq(write_line("two"), 0);
	assert_log("one\ntwo\n");
}
END_TEST

START_TEST(a_cut_line_ends_all_the_same)
{
	char storage[8];
	struct ftsan_buf line;

	open_log();
	ftsan_buf_init(&line, storage, sizeof(storage));
	ftsan_buf_str(&line, "0123456789");
	ck_assert_int_eq(ftsan_log_write(&line), 0);
	assert_log("0123456\n");
}
END_TEST

static void assert_path(const char *pattern, bool root, const char *format)
{
	char expected[128];

	snprintf(expected, sizeof(expected), format, (int)getpid());
	ck_assert_int_eq(ftsan_log_open(in_directory(pattern), root), 0);
	ck_assert_str_eq(ftsan_log_path(), in_directory(expected));
	ck_assert_int_eq(access(ftsan_log_path(), F_OK), 0);
}

START_TEST(the_pid_goes_into_the_name)
{
	assert_path("a.%p.log", true, "a.%d.log");
	assert_path("b.%p.log", false, "b.%d.log");
	assert_path("c.log", true, "c.log");
	assert_path("c.log", false, "c.log.%d");
	assert_path("d%%.log", true, "d%%.log");
	assert_path("e%%p.log", true, "e%%p.log");
	assert_path("f%x%", true, "f%%x%%");
}
END_TEST

START_TEST(without_a_name_it_is_in_the_working_directory)
{
	char expected[64];

	ck_assert_int_eq(ftsan_log_open("", true), 0);
	snprintf(expected, sizeof(expected), "ftsan.%d.jsonl", (int)getpid());
	ck_assert_int_eq(access(in_directory(expected), F_OK), 0);
}
END_TEST

START_TEST(a_symbolic_link_is_refused)
{
	ck_assert_int_eq(symlink(in_directory("victim"), "log"), 0);
	ck_assert_int_eq(ftsan_log_open(in_directory("log"), true), -ELOOP);
	ck_assert_int_eq(write_line("one"), -EBADF);
	ck_assert_int_eq(access(in_directory("victim"), F_OK), -1);
}
END_TEST

START_TEST(names_that_cannot_be)
{
	char name[FTSAN_LOG_PATH_MAX + 8];

	memset(name, 'a', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(ftsan_log_open(name, true), -ENAMETOOLONG);
	ck_assert_int_eq(ftsan_log_open(in_directory("no/such/place"), true), -ENOENT);
	ck_assert_int_eq(ftsan_log_open(directory, true), -EISDIR);
}
END_TEST

START_TEST(a_closed_log_is_opened_again)
{
	open_log();
	ck_assert_int_eq(write_line("one"), 0);
	close_all();
	ck_assert_int_eq(write_line("two"), 0);
	assert_log("one\ntwo\n");
}
END_TEST

START_TEST(a_log_of_a_relative_name_stays_where_it_is)
{
	ck_assert_int_eq(ftsan_log_open("log", true), 0);
	ck_assert_int_eq(write_line("one"), 0);
	close_all();
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(write_line("two"), 0);
	assert_log("one\ntwo\n");
}
END_TEST

START_TEST(a_reused_number_is_not_written_to)
{
	int file = scratch_file();

	open_log();
	ck_assert_int_eq(write_line("one"), 0);
	take_all(file);
	close(20); /* room for one */
	ck_assert_int_eq(write_line("two"), 0);
	ck_assert_int_eq(size_of(file), 0);
	assert_log("one\ntwo\n");
}
END_TEST

static void limit_size(rlim_t bytes)
{
	const struct rlimit limit = {bytes, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full in the middle of a line, and has room again later. */
START_TEST(a_torn_line_spoils_no_other)
{
	open_log();
	ck_assert_int_eq(write_line("first"), 0);
	limit_size(10);
	ck_assert_int_lt(write_line("second line"), 0);
	ck_assert_uint_eq(ftsan_counted(log_errors), 1);
	limit_size(RLIM_INFINITY);
	ck_assert_int_eq(write_line("third"), 0);
	ck_assert_int_eq(write_line("fourth"), 0);
	assert_log("first\nseco\nthird\nfourth\n");
}
END_TEST

START_TEST(a_line_torn_twice_spoils_no_other)
{
	open_log();
	limit_size(3);
	ck_assert_int_lt(write_line("first"), 0);
	ck_assert_int_lt(write_line("second"), 0);
	limit_size(RLIM_INFINITY);
	ck_assert_int_eq(write_line("third"), 0);
	assert_log("fir\nthird\n");
	ck_assert_uint_eq(ftsan_counted(log_errors), 2);
}
END_TEST

START_TEST(a_full_device_is_an_error)
{
	ck_assert_int_eq(ftsan_log_open("/dev/full", true), 0);
	ck_assert_int_eq(write_line("one"), -ENOSPC);
	ck_assert_int_eq(write_line("two"), -ENOSPC);
	ck_assert_uint_eq(ftsan_counted(log_errors), 2);
}
END_TEST

static void to_stderr(const char *text)
{
	char storage[64];
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, storage, sizeof(storage));
	ftsan_buf_str(&buf, text);
	ftsan_log_stderr(&buf);
}

static bool is_pending(int sig)
{
	sigset_t waiting;

	return sigpending(&waiting) == 0 && sigismember(&waiting, sig) == 1;
}

/* Writes a line too long for the limit where that is deadly, with the signal waiting
 * already or not. Nothing is asserted in between: Check writes files of its own. */
static int write_past_limit(bool waits, bool *waits_afterwards)
{
	int error;

	limit_size(3);
	signal(SIGXFSZ, SIG_DFL);
	if (waits)
		raise(SIGXFSZ);
	error = write_line("first");
	*waits_afterwards = is_pending(SIGXFSZ);
	limit_size(RLIM_INFINITY);
	return error;
}

START_TEST(no_signal_comes_of_a_failed_write)
{
	bool waits;
	int ends[2];

	open_log();
	ck_assert_int_eq(write_past_limit(false, &waits), -EFBIG);
	ck_assert(!waits);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(dup2(ends[1], 2), 2);
	ftsan_log_keep_stderr();
	close(ends[0]);
	signal(SIGPIPE, SIG_DFL);
	to_stderr("finding");
	ck_assert(!is_pending(SIGPIPE));
}
END_TEST

START_TEST(a_signal_of_the_programs_still_waits)
{
	sigset_t blocked;
	bool waits;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGXFSZ);
	open_log();
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
	ck_assert_int_eq(write_past_limit(true, &waits), -EFBIG);
	ck_assert(waits);
}
END_TEST

START_TEST(output_capture_swallows_nothing)
{
	int terminal = scratch_file(), capture = scratch_file();

	ck_assert_int_eq(dup2(terminal, 2), 2);
	ftsan_log_keep_stderr();
	ck_assert_int_eq(dup2(capture, 2), 2);
	to_stderr("finding");
	ck_assert_int_eq(size_of(capture), 0);
	ck_assert_int_eq(size_of(terminal), 7);
}
END_TEST

START_TEST(a_lost_terminal_is_nobodys_file)
{
	int file = scratch_file();

	ftsan_log_keep_stderr();
	take_all(file);
	to_stderr("finding");
	ck_assert_int_eq(size_of(file), 0);
}
END_TEST

static void add_files(TCase *tests)
{
	tcase_add_test(tests, a_line_is_a_line);
	tcase_add_test(tests, an_older_log_is_added_to);
	tcase_add_test(tests, a_cut_line_ends_all_the_same);
	tcase_add_test(tests, the_pid_goes_into_the_name);
	tcase_add_test(tests, without_a_name_it_is_in_the_working_directory);
	tcase_add_test(tests, a_symbolic_link_is_refused);
	tcase_add_test(tests, names_that_cannot_be);
}

static void add_troubles(TCase *tests)
{
	tcase_add_test(tests, a_closed_log_is_opened_again);
	tcase_add_test(tests, a_log_of_a_relative_name_stays_where_it_is);
	tcase_add_test(tests, a_reused_number_is_not_written_to);
	tcase_add_test(tests, a_torn_line_spoils_no_other);
	tcase_add_test(tests, a_line_torn_twice_spoils_no_other);
	tcase_add_test(tests, a_full_device_is_an_error);
	tcase_add_test(tests, no_signal_comes_of_a_failed_write);
	tcase_add_test(tests, a_signal_of_the_programs_still_waits);
	tcase_add_test(tests, output_capture_swallows_nothing);
	tcase_add_test(tests, a_lost_terminal_is_nobodys_file);
}

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tests = tcase_create("log");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	add_files(tests);
	add_troubles(tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
