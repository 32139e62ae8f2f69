/* null_test: is what is loaded looked at for being NULL, and for nothing else? */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/base.h"
#include "decode/decode.h"
#include "decode_fixture.h"

/* CODE(NAME, TEXT): bytes that are decoded, never executed, with nothing known behind. */
#define CODE(name, text)                                                                 \
	__asm__(".pushsection .text\n.local code_" #name "\ncode_" #name ":\n\t" text    \
		"\n\tud2\n\t.fill 128, 1, 0x90\n.popsection");                           \
	extern const unsigned char code_##name[] __attribute__((visibility("hidden")));

#define LOAD "movq 0x28(%rdi), %rbx\n\ttestq %rbx, %rbx\n\t"
#define CALL "call . + 0x1000\n\t"

CODE(jump_if_there, LOAD "jne 1f\n\tud2\n1:\tmovq $0, %rbx")
CODE(memory, "cmpq $0, 0x28(%rdi)\n\tje . + 0x40")
CODE(cleared, LOAD "je . + 0x40\n\tmovl 8(%rsi), %ebx")

CODE(returned, LOAD "je . + 0x40\n\tmovq %rbx, %rax")
CODE(counted, LOAD "je . + 0x40\n\tlock addq $1, 8(%rbx)")
CODE(through, LOAD "je . + 0x40\n\tmovq 8(%rbx), %rbx")
CODE(half, LOAD "je . + 0x40\n\tmovb 8(%rsi), %bl")
CODE(passed, "movq 0x28(%rdi), %rdi\n\ttestq %rdi, %rdi\n\tje . + 0x40\n\t" CALL
	     "movq 8(%rbp), %rdi")
CODE(result, "movq 0x28(%rdi), %rax\n\ttestq %rax, %rax\n\tje . + 0x40\n\tret")
CODE(pushed, LOAD "je . + 0x40\n\tpushq %rbx\n\tmovl 8(%rsi), %ebx")
CODE(other_branch, LOAD "je . + 0x40\n\tjc . + 0x20\n\tmovl 8(%rsi), %ebx")
CODE(sign, LOAD "js . + 0x40\n\tmovl 8(%rsi), %ebx")
CODE(moved_on_condition, LOAD "cmovneq %rsi, %rbx")
CODE(untested, "movq 0x28(%rdi), %rbx\n\tmovl 8(%rsi), %ebx")
CODE(half_tested, "movq 0x28(%rdi), %rbx\n\ttestl %ebx, %ebx\n\tje . + 0x40\n\t"
		  "movl 8(%rsi), %ebx")
CODE(narrow, "movl 0x28(%rdi), %ebx\n\ttestl %ebx, %ebx\n\tje . + 0x40\n\t"
	     "movl 8(%rsi), %ebx")
CODE(one, "cmpq $1, 0x28(%rdi)\n\tje . + 0x40")
CODE(less, "cmpq $0, 0x28(%rdi)\n\tjl . + 0x40")
CODE(store, "movq %rbx, 0x28(%rdi)\n\ttestq %rbx, %rbx\n\tje . + 0x40\n\t"
	    "movl 8(%rsi), %ebx")

/* WraptObjectProxy_get_wrapped of wrapt 2.4.0 (cp314t, manylinux x86-64). */
static const unsigned char wrapt_fixed[] = {
	0x48, 0x8b, 0x5f, 0x28,	      /* mov 0x28(%rdi),%rbx */
	0x48, 0x85, 0xdb,	      /* test %rbx,%rbx */
	0x74, 0x4c,		      /* je */
	0x48, 0x89, 0xee,	      /* mov %rbp,%rsi */
	0x48, 0x89, 0xe7,	      /* mov %rsp,%rdi */
	0x49, 0x89, 0xe4,	      /* mov %rsp,%r12 */
	0xe8, 0xce, 0xe2, 0xff, 0xff, /* call PyCriticalSection_Begin */
	0x48, 0x8b, 0x5d, 0x28,	      /* mov 0x28(%rbp),%rbx */
	0x48, 0x85, 0xdb,	      /* test %rbx,%rbx */
	0x74, 0x1c,		      /* je */
	0x8b, 0x43, 0x0c,	      /* mov 0xc(%rbx),%eax */
};

static bool tests(const unsigned char *code)
{
	return ftsan_decode_tests_null(code, FTSAN_NULL_TEST_BYTES);
}

START_TEST(loaded_again_under_the_lock)
{
	ck_assert(ftsan_decode_tests_null(wrapt_fixed, sizeof(wrapt_fixed)));
	/* The second load is the one that is used. */
	ck_assert(!ftsan_decode_tests_null(wrapt_fixed + 23, sizeof(wrapt_fixed) - 23));
}
END_TEST

START_TEST(other_ways_to_ask)
{
	ck_assert(tests(code_jump_if_there));
	ck_assert(tests(code_memory));
	ck_assert(tests(code_cleared));
}
END_TEST

START_TEST(what_is_used_is_used)
{
	ck_assert(!tests(code_returned));
	ck_assert(!tests(code_counted));
	ck_assert(!tests(code_through));
	ck_assert(!tests(code_half));
	ck_assert(!tests(code_passed));
	ck_assert(!tests(code_result));
	ck_assert(!tests(code_pushed));
	ck_assert(!tests(code_moved_on_condition));
}
END_TEST

START_TEST(what_is_not_understood_is_used)
{
	ck_assert(!tests(code_other_branch));
	ck_assert(!tests(code_sign));
	ck_assert(!tests(code_untested));
	ck_assert(!tests(code_half_tested));
	ck_assert(!tests(code_narrow));
	ck_assert(!tests(code_one));
	ck_assert(!tests(code_less));
	ck_assert(!tests(code_store));
}
END_TEST

/* The code ends before the answer does. */
START_TEST(no_more_code_than_there_is)
{
	for (size_t room = 0; room < 27; room++)
		ck_assert(!ftsan_decode_tests_null(wrapt_fixed, room < 23 ? room : 22));
	ftsan_decode_init(NULL, NULL);
	ck_assert(!tests(code_memory));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("null_test");
	TCase *tcase = tcase_create("null_test");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, loaded_again_under_the_lock);
	tcase_add_test(tcase, other_ways_to_ask);
	tcase_add_test(tcase, what_is_used_is_used);
	tcase_add_test(tcase, what_is_not_understood_is_used);
	tcase_add_test(tcase, no_more_code_than_there_is);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
