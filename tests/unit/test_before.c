/* before: which instruction hit a watchpoint, and whether that proves an access. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "decode/decode.h"
#include "decode_fixture.h"
#include "rules/rules.h"

/* CODE(NAME, TEXT, AFTER): the bytes of an instruction, behind others and before AFTER.
 */
#define CODE(name, text, after)                                                          \
	__asm__(".pushsection .text\n.fill 16, 1, 0x90\n.local code_" #name              \
		"\ncode_" #name ":\n\t" text "\n.local end_" #name "\nend_" #name        \
		":\n\t" after "\n\t.fill 128, 1, 0x90\n.popsection");                    \
	extern const unsigned char code_##name[] __attribute__((visibility("hidden")));  \
	extern const unsigned char end_##name[] __attribute__((visibility("hidden")));

CODE(store, "movq %rax, 0x10(%rdi)", "")
CODE(store_imm, "movl $5, 0x10(%rdi)", "")
CODE(or_mem, "orl $4, 0x10(%rdi)", "")
CODE(lock_or, "lock orl $4, 0x10(%rdi)", "")
CODE(cmpxchg, "lock cmpxchgq %rcx, 0x10(%rdi)", "")
CODE(load, "movq 0x10(%rdi), %rax", "")
CODE(load_self, "movq 0x10(%rdi), %rdi", "")
CODE(load_half, "movl 0x10(%rdi), %edi", "")
CODE(movups, "movups %xmm0, 0x10(%rdi)", "")
CODE(copy, "vmovdqu 0x10(%rdi), %ymm0",
     "vmovdqu %ymm0, (%rsi)\n\tvmovdqu 32(%rdi), %ymm1")
CODE(strcmp_load, "vmovdqu 0x10(%rdi), %ymm0", "vpcmpeqb (%rsi), %ymm0, %ymm1")
CODE(strlen_avx, "vpcmpeqb 0x10(%rdi), %ymm0, %ymm1", "")
CODE(strlen_sse, "movdqa 0x10(%rdi), %xmm1", "pcmpeqb %xmm0, %xmm1")
CODE(strlen_evex, "vptestnmb 0x10(%rdi), %ymm16, %k0", "")
CODE(masked_store, "vmovdqu8 %ymm16, (%rdi){%k1}", "")
CODE(plain_evex, "vmovdqu8 %ymm16, (%rdi)", "")
CODE(masked_load, "vmovdqu8 (%rdi), %ymm16{%k1}{z}", "")
CODE(vpmaskmov, "vpmaskmovd %ymm1, %ymm2, (%rdi)", "")
CODE(maskmovdqu, "maskmovdqu %xmm1, %xmm2", "")
CODE(gather, "vpgatherdd %ymm1, (%rdi,%ymm2,4), %ymm3", "")
CODE(scatter, "vpscatterdd %zmm3, (%rdi,%zmm2,4){%k1}", "")
CODE(xsave, "xsave64 (%rdi)", "")
CODE(rep_stos, "rep stosb", "")
CODE(lea, "leaq 0x10(%rdi), %rax", "")
CODE(elsewhere, "movq %rax, 0x100(%rdi)", "")
CODE(jump, "jmp .", "")

static struct ftsan_watch_insn got;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)info;
	if (!ftsan_safe_read_fixup(context))
		_exit(128 + signal);
}

static void setup_faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &action, NULL);
	setup();
}

static void look(const unsigned char *end)
{
	uc.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)end;
	memset(&got, 0xee, sizeof(got));
	ftsan_decode_before(&got, &uc, TO + 0x10, 8);
}

static void assert_proves(const unsigned char *end, bool reads, bool writes,
			  uint32_t size)
{
	look(end);
	ck_assert_int_eq(got.form, FTSAN_FORM_PLAIN);
	ck_assert(ftsan_rule_watch_proves(&got));
	ck_assert_int_eq(got.reads, reads);
	ck_assert_int_eq(got.writes, writes);
	ck_assert_uint_eq(got.size, size);
}

static void assert_lies(const unsigned char *end, enum ftsan_watch_form form)
{
	look(end);
	ck_assert_int_eq(got.form, form);
	ck_assert(!ftsan_rule_watch_proves(&got));
}

START_TEST(plain_accesses_prove)
{
	assert_proves(end_store, false, true, 8);
	assert_proves(end_store_imm, false, true, 4);
	assert_proves(end_or_mem, true, true, 4);
	assert_proves(end_load, true, false, 8);
	assert_proves(end_movups, false, true, 16);
	assert_proves(end_plain_evex, false, true, 32);
	ck_assert(!got.locked);
}
END_TEST

START_TEST(locked_ones_are_told)
{
	assert_proves(end_lock_or, true, true, 4);
	ck_assert(got.locked);
	look(end_cmpxchg);
	ck_assert_int_eq(got.form, FTSAN_FORM_PLAIN);
	ck_assert(got.locked);
}
END_TEST

/* What is watched may lie in the middle of it. */
START_TEST(where_it_was_is_told)
{
	assert_proves(end_load, true, false, 8);
	ck_assert_uint_eq(got.address, TO + 0x10);
	uc.uc_mcontext.gregs[REG_RDI] -= 8;
	assert_proves(end_copy, true, false, 32);
	ck_assert_uint_eq(got.address, TO + 8);
}
END_TEST

/* The address is gone, and nothing else can have been it. */
START_TEST(a_load_may_overwrite_its_own_address)
{
	uc.uc_mcontext.gregs[REG_RDI] = 0x1234;
	assert_proves(end_load_self, true, false, 8);
	assert_proves(end_load_half, true, false, 4);
	ck_assert_uint_eq(got.address, 0);
}
END_TEST

START_TEST(a_copy_proves_and_a_search_does_not)
{
	assert_proves(end_copy, true, false, 32);
	assert_lies(end_strcmp_load, FTSAN_FORM_SEARCH);
	assert_lies(end_strlen_avx, FTSAN_FORM_SEARCH);
	assert_lies(end_strlen_sse, FTSAN_FORM_SEARCH);
	assert_lies(end_strlen_evex, FTSAN_FORM_SEARCH);
}
END_TEST

START_TEST(masks_prove_nothing)
{
	assert_lies(end_masked_store, FTSAN_FORM_MASKED);
	assert_lies(end_masked_load, FTSAN_FORM_MASKED);
	assert_lies(end_vpmaskmov, FTSAN_FORM_MASKED);
	assert_lies(end_gather, FTSAN_FORM_GATHERED);
	assert_lies(end_scatter, FTSAN_FORM_GATHERED);
	assert_lies(end_xsave, FTSAN_FORM_MASKED);
	uc.uc_mcontext.gregs[REG_RDI] = TO + 0x8;
	assert_lies(end_maskmovdqu, FTSAN_FORM_MASKED);
}
END_TEST

START_TEST(a_string_instruction_has_moved_on)
{
	uc.uc_mcontext.gregs[REG_RDI] = TO + 0x40;
	assert_proves(end_rep_stos, false, true, 1);
}
END_TEST

START_TEST(what_does_not_touch_the_word_is_not_it)
{
	assert_lies(end_lea, FTSAN_FORM_UNKNOWN);
	assert_lies(end_elsewhere, FTSAN_FORM_UNKNOWN);
	assert_lies(end_jump, FTSAN_FORM_UNKNOWN);
}
END_TEST

START_TEST(unknown_stores_are_believed_where_the_value_changed)
{
	struct ftsan_watch_insn one = {.form = FTSAN_FORM_UNKNOWN};

	ck_assert(ftsan_rule_watch_store(&one, true));
	ck_assert(!ftsan_rule_watch_store(&one, false));
	one.form = FTSAN_FORM_MASKED;
	ck_assert(!ftsan_rule_watch_store(&one, true));
	one.form = FTSAN_FORM_PLAIN;
	ck_assert(ftsan_rule_watch_store(&one, true));
	ck_assert(ftsan_rule_watch_store(&one, false));
}
END_TEST

START_TEST(without_a_decoder_nothing_is_known)
{
	ftsan_decode_init(NULL, NULL);
	assert_lies(end_store, FTSAN_FORM_UNKNOWN);
}
END_TEST

/* The code ends, or begins, with its mapping. */
START_TEST(code_at_the_edge_of_its_mapping)
{
	size_t length = (size_t)(end_store - code_store);
	unsigned char *map =
		mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *page = map + 4096;

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
	memcpy(page, code_store, length);
	assert_proves(page + length, false, true, 8);
	memcpy(page + 4096 - length, code_store, length);
	assert_proves(page + 4096, false, true, 8);
	assert_lies(page, FTSAN_FORM_UNKNOWN);
	munmap(map, 3 * 4096);
}
END_TEST

START_TEST(where_the_start_is_known)
{
	struct ftsan_watch_insn one;

	ftsan_decode_at(&one, code_masked_store);
	ck_assert_int_eq(one.form, FTSAN_FORM_MASKED);
	ftsan_decode_at(&one, code_store);
	ck_assert_int_eq(one.form, FTSAN_FORM_PLAIN);
	ck_assert(one.writes && !one.reads);
	ftsan_decode_at(&one, code_lea);
	ck_assert_int_eq(one.form, FTSAN_FORM_UNKNOWN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("before");
	TCase *tcase = tcase_create("before");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup_faults, NULL);
	tcase_add_test(tcase, plain_accesses_prove);
	tcase_add_test(tcase, locked_ones_are_told);
	tcase_add_test(tcase, where_it_was_is_told);
	tcase_add_test(tcase, a_load_may_overwrite_its_own_address);
	tcase_add_test(tcase, a_copy_proves_and_a_search_does_not);
	tcase_add_test(tcase, masks_prove_nothing);
	tcase_add_test(tcase, a_string_instruction_has_moved_on);
	tcase_add_test(tcase, what_does_not_touch_the_word_is_not_it);
	tcase_add_test(tcase, unknown_stores_are_believed_where_the_value_changed);
	tcase_add_test(tcase, without_a_decoder_nothing_is_known);
	tcase_add_test(tcase, code_at_the_edge_of_its_mapping);
	tcase_add_test(tcase, where_the_start_is_known);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
