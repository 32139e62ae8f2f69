/* spare, flow: which instructions a call can come to. */
#include "decode_fixture.h"

#include <link.h>
#include <stdlib.h>

#include "sampler/site.h"
#include "sampler/spare.h"

/* clang-format off */
#define CODE(name, ...)                                                                  \
	extern const char name[];                                                        \
	__asm__(".text\n.p2align 4\n" #name ":\n" __VA_ARGS__ ".fill 16, 1, 0xcc\n")
CODE(reads, "mov spare_word(%rip), %rax\n"
	    "test %rax, %rax\nje 1f\nret\n"
	    "1: mov 8(%rdi), %rax\nret\n");
CODE(aside, "mov 16(%rdi), %rax\nret\n");
CODE(calls, "call aside\nmov 24(%rdi), %rcx\njmp reads\n");
CODE(by_slot, "jmp *spare_slot(%rip)\n");
CODE(by_register, "call *%rax\nret\n");
CODE(loops, "1: mov (%rdi), %rdi\ntest %rdi, %rdi\njne 1b\nret\n");
__asm__(".data\n.p2align 3\nspare_word: .quad 0\nspare_slot: .quad aside\n.text\n");
/* clang-format on */

/* is_spared() - the instruction @bytes behind @function. */
static bool is_spared(const char *function, unsigned bytes)
{
	struct ftsan_sample_site site = {.offset = bytes};
	struct ftsan_sample_module module = {
		.bias = (uintptr_t)function, .sites = &site, .n_sites = 1};

	ftsan_spare_sites(&module);
	return module.n_sites == 0;
}

static bool finds(const char *function)
{
	uintptr_t functions[] = {0, (uintptr_t)function};

	return ftsan_spare_find(functions, 2);
}

START_TEST(what_a_call_comes_to)
{
	ck_assert(finds(reads));
	ck_assert(is_spared(reads, 0));
	ck_assert(is_spared(reads, 13)); /* behind the branch */
	ck_assert(!is_spared(aside, 0));
	ck_assert(finds(calls));
	ck_assert(is_spared(calls, 5)); /* when the call has returned */
	ck_assert(is_spared(aside, 0));
	ck_assert(is_spared(reads, 0));
	ck_assert(finds(by_slot));
	ck_assert(is_spared(aside, 0));
	ck_assert(!is_spared(reads, 0));
	ck_assert(finds(loops));
	ck_assert(is_spared(loops, 0));
}
END_TEST

START_TEST(what_cannot_be_followed)
{
	ck_assert(!finds(by_register));
	ck_assert(finds(NULL));
	ck_assert(!is_spared(reads, 0));
}
END_TEST

START_TEST(sites_that_stay_are_in_order)
{
	struct ftsan_sample_site sites[3] = {{.offset = 0}, {.offset = 1}, {.offset = 13}};
	struct ftsan_sample_module module = {
		.bias = (uintptr_t)reads, .sites = sites, .n_sites = 3};

	ck_assert(finds(reads));
	ftsan_spare_sites(&module);
	ck_assert_uint_eq(module.n_sites, 1);
	ck_assert_uint_eq(sites[0].offset, 1);
}
END_TEST

static void start(void)
{
	setup();
	(void)ftsan_modules_refresh(dl_iterate_phdr);
}

int main(void)
{
	Suite *suite = suite_create("spare");
	TCase *test = tcase_create("spare");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(test, start, NULL);
	tcase_add_test(test, what_a_call_comes_to);
	tcase_add_test(test, what_cannot_be_followed);
	tcase_add_test(test, sites_that_stay_are_in_order);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
