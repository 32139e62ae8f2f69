/* mem: guarded pages through /proc/self/mem, whatever happens to the descriptor. */
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/base.h"
#include "descriptors.h"

enum { SKIPPED = 77 };

static uint64_t *page;

static void setup(void)
{
	ck_assert_int_eq(ftsan_mem_init(), 0);
	ck_assert(ftsan_mem_writable());
	page = mmap(NULL, FTSAN_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ck_assert_ptr_ne(page, MAP_FAILED);
	page[3] = 33;
}

static int write_word(uint64_t value)
{
	return ftsan_mem_write((uintptr_t)&page[3], &value, sizeof(value));
}

static uint64_t word(void)
{
	uint64_t value = 0;

	ck_assert_int_eq(ftsan_mem_read(&value, (uintptr_t)&page[3], sizeof(value)), 0);
	return value;
}

START_TEST(protection_does_not_matter)
{
	static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(protections); i++) {
		ck_assert_int_eq(mprotect(page, FTSAN_PAGE, protections[i]), 0);
		ck_assert_int_eq(write_word(70 + i), 0);
		ck_assert_uint_eq(word(), 70 + i);
	}
	ck_assert_uint_eq(page[2] | page[4], 0);
}
END_TEST

START_TEST(the_protection_stays)
{
	ck_assert_int_eq(mprotect(page, FTSAN_PAGE, PROT_NONE), 0);
	ck_assert_int_eq(write_word(70), 0);
	*(volatile uint64_t *)page = 1;
}
END_TEST

START_TEST(what_is_not_there_is_an_error)
{
	uint64_t value = 1;

	ck_assert_int_eq(munmap(page, FTSAN_PAGE), 0);
	ck_assert_int_lt(write_word(1), 0);
	ck_assert_int_lt(ftsan_mem_read(&value, (uintptr_t)page, 8), 0);
	ck_assert_int_lt(ftsan_mem_write(UINTPTR_MAX - 7, &value, 8), 0);
	ck_assert_int_lt(ftsan_mem_write(0, &value, 8), 0);
}
END_TEST

/* No handler is there: a fault would end it. */
START_TEST(a_safe_read_by_calls_does_not_fault)
{
	uint64_t value = 0;

	ftsan_safe_read_by_calls(true);
	ck_assert(ftsan_safe_u64((uintptr_t)&page[3], &value));
	ck_assert_uint_eq(value, 33);
	ck_assert_int_eq(munmap(page, FTSAN_PAGE), 0);
	ck_assert(!ftsan_safe_u64((uintptr_t)page, &value));
	ck_assert(!ftsan_safe_u64(8, &value));
	ck_assert(!ftsan_safe_u64(UINTPTR_MAX - 7, &value));
	ck_assert(!ftsan_safe_u64(UINT64_C(1) << 63, &value));
}
END_TEST

START_TEST(a_safe_read_faults_without)
{
	uint64_t value = 0;

	ck_assert_int_eq(munmap(page, FTSAN_PAGE), 0);
	(void)ftsan_safe_u64((uintptr_t)page, &value);
}
END_TEST

START_TEST(half_a_write_is_an_error)
{
	static unsigned char two[2 * FTSAN_PAGE];
	unsigned char *pages = mmap(NULL, 2 * FTSAN_PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_int_eq(munmap(pages + FTSAN_PAGE, FTSAN_PAGE), 0);
	ck_assert_int_lt(ftsan_mem_write((uintptr_t)pages, two, sizeof(two)), 0);
	ck_assert_int_lt(ftsan_mem_read(two, (uintptr_t)pages, sizeof(two)), 0);
}
END_TEST

START_TEST(a_closed_descriptor_is_opened_again)
{
	close_all();
	ck_assert_int_eq(write_word(71), 0);
	ck_assert_uint_eq(page[3], 71);
}
END_TEST

START_TEST(a_reused_number_is_never_written_to)
{
	int file = scratch_file();

	take_all(file);
	(void)write_word(72);
	ck_assert_int_eq(size_of(file), 0);
	/* The program gives some back: ours is opened again. */
	close_all();
	(void)open("/dev/null", O_RDWR);
	ck_assert_int_eq(write_word(73), 0);
	ck_assert_uint_eq(page[3], 73);
}
END_TEST

START_TEST(without_a_free_number_it_fails)
{
	const struct rlimit few = {DESCRIPTORS, DESCRIPTORS};
	int file = scratch_file();

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int fd = 0; fd < FIRST_DESCRIPTOR; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)dup2(file, fd);
	take_all(file);
	ck_assert_int_lt(write_word(72), 0);
	ck_assert_uint_eq(page[3], 33);
	ck_assert_int_eq(size_of(file), 0);
}
END_TEST

/* Another process's memory under our number would be the worst of files. */
START_TEST(the_memory_of_another_process_is_not_ours)
{
	char path[64];
	int pipes[2], status, file;
	uint64_t value;
	pid_t pid;

	ck_assert_int_eq(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		(void)!read(pipes[0], &value, 1);
		_exit(page[3] == 33 ? 0 : 1);
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	file = open(path, O_RDWR);
	ck_assert_int_ge(file, 0);
	take_all(file);
	(void)write_word(74);
	ck_assert_int_eq((int)write(pipes[1], "", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* The child writes, by whatever way it came to be; its parent must not see it. */
static void child_writes(pid_t pid, bool announced)
{
	int status;

	if (pid == 0) {
		if (announced)
			ftsan_mem_fork_child();
		if (write_word(75) != 0 || page[3] != 75)
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(page[3], 33);
	/* Nor does it take the descriptor away. */
	ck_assert_int_eq(write_word(76), 0);
	ck_assert_uint_eq(page[3], 76);
	page[3] = 33;
}

static pid_t raw_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
}

START_TEST(a_forked_child_writes_its_own)
{
	child_writes(fork(), true);
	/* _Fork() and others run no handlers. */
	child_writes(fork(), false);
}
END_TEST

START_TEST(a_raw_clone_writes_its_own)
{
	child_writes(raw_clone(), false);
	child_writes((pid_t)syscall(SYS_fork), false);
}
END_TEST

START_TEST(a_child_with_reused_numbers_writes_its_own)
{
	int file = scratch_file();
	pid_t pid = fork();

	if (pid == 0) {
		take_all(file);
		close(20); /* room for one */
	}
	child_writes(pid, true);
	ck_assert_int_eq(size_of(file), 0);
}
END_TEST

START_TEST(a_child_of_a_child_writes_its_own)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ftsan_mem_fork_child();
		(void)write_word(33);
		child_writes(raw_clone(), false);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(page[3], 33);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mem");
	TCase *tests = tcase_create("mem");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (ftsan_mem_init() != 0) {
		puts("skipped: the kernel refuses writes through /proc/self/mem");
		return SKIPPED;
	}
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, protection_does_not_matter);
	tcase_add_test_raise_signal(tests, the_protection_stays, SIGSEGV);
	tcase_add_test(tests, what_is_not_there_is_an_error);
	tcase_add_test(tests, a_safe_read_by_calls_does_not_fault);
	tcase_add_test_raise_signal(tests, a_safe_read_faults_without, SIGSEGV);
	tcase_add_test(tests, half_a_write_is_an_error);
	tcase_add_test(tests, a_closed_descriptor_is_opened_again);
	tcase_add_test(tests, a_reused_number_is_never_written_to);
	tcase_add_test(tests, without_a_free_number_it_fails);
	tcase_add_test(tests, the_memory_of_another_process_is_not_ours);
	tcase_add_test(tests, a_forked_child_writes_its_own);
	tcase_add_test(tests, a_raw_clone_writes_its_own);
	tcase_add_test(tests, a_child_with_reused_numbers_writes_its_own);
	tcase_add_test(tests, a_child_of_a_child_writes_its_own);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
