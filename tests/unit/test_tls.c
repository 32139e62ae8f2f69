/* tls: a thread-local variable, read by where a function's code says that it is. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/base.h"

/* Initial-exec, so that both kinds of code can name it. */
extern __thread uintptr_t variable __attribute__((tls_model("initial-exec")));
__thread uintptr_t variable = 1;

/* clang-format off */
#define CODE(name, ...)                                                                  \
	void name(void);                                                                 \
	__asm__(".text\n.p2align 4\n" #name ":\n" __VA_ARGS__ ".fill 32, 1, 0xcc\n")
CODE(own, "mov %fs:variable@tpoff, %rax\nret\n");
CODE(own_marked, "endbr64\nmov %fs:variable@tpoff, %rax\nret\n");
CODE(shared, "mov distance(%rip), %rax\nmov %fs:(%rax), %rax\nret\n");
CODE(relaxed, "mov $variable@tpoff, %rax\nmov %fs:(%rax), %rax\nret\n");
CODE(one_further, "mov distance(%rip), %rax\nmov %fs:8(%rax), %rax\nret\n");
CODE(does_more, "mov %fs:variable@tpoff, %rax\nadd $1, %rax\nret\n");
CODE(other_register, "mov %fs:variable@tpoff, %rcx\nret\n");
CODE(calls, "call own\nret\n");
CODE(patched, "int3\nmov %fs:variable@tpoff, %rax\nret\n");
/* What a shared object's slot holds. */
__asm__(".section .data.rel.ro\n.p2align 3\ndistance: .quad variable@tpoff\n.text\n");
/* clang-format on */

static uintptr_t read_by(void (*function)(void))
{
	intptr_t offset = ftsan_tls_getter((uintptr_t)function);

	ck_assert(offset != 0);
	return ftsan_tls_word(offset);
}

static void *second_thread(void *unused)
{
	(void)unused;
	variable = 3;
	ck_assert_uint_eq(read_by(own), 3);
	ck_assert_uint_eq(read_by(shared), 3);
	return NULL;
}

START_TEST(each_thread_reads_its_own)
{
	pthread_t thread;

	variable = 2;
	ck_assert_int_eq(pthread_create(&thread, NULL, second_thread, NULL), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(read_by(own), 2);
	ck_assert_uint_eq(read_by(own_marked), 2);
	ck_assert_uint_eq(read_by(shared), 2);
	ck_assert_uint_eq(read_by(relaxed), 2);
}
END_TEST

START_TEST(anything_else_is_not_taken_for_it)
{
	ck_assert(ftsan_tls_getter((uintptr_t)does_more) == 0);
	ck_assert(ftsan_tls_getter((uintptr_t)other_register) == 0);
	ck_assert(ftsan_tls_getter((uintptr_t)one_further) == 0);
	ck_assert(ftsan_tls_getter((uintptr_t)calls) == 0);
	ck_assert(ftsan_tls_getter((uintptr_t)patched) == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls");
	TCase *tests = tcase_create("getter");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, each_thread_reads_its_own);
	tcase_add_test(tests, anything_else_is_not_taken_for_it);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
