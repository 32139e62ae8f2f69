/* decode: what instructions do to memory, and how their stores can be performed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "decode_fixture.h"
#include "decode_insns.h"

/* A store whose bytes are known. */
static void assert_direct(const unsigned char *code, uint32_t size, uint64_t value)
{
	decode(code, TO, true);
	assert_access(TO, size);
	ck_assert(!insn.access.atomic);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_DIRECT);
	ck_assert_mem_eq(insn.value, &value, size);
	ck_assert_uint_gt(insn.length, 0);
}

static void assert_direct_xmm(const unsigned char *code, unsigned reg, uint32_t size)
{
	decode(code, TO, true);
	assert_access(TO, size);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_DIRECT);
	ck_assert_mem_eq(insn.value, &fpstate._xmm[reg], size);
}

static void assert_redirect(const unsigned char *code, uintptr_t address, uint32_t size)
{
	decode(code, address, true);
	assert_access(address, size);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_REDIRECT);
	ck_assert_int_eq(insn.base, REG_RDI);
}

static void assert_step_only(const unsigned char *code, uintptr_t address, uint32_t size)
{
	decode(code, address, true);
	assert_access(address, size);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_NONE);
}

START_TEST(registers_of_every_width)
{
	assert_direct(insn_mov_al, 1, 0x88);
	assert_direct(insn_mov_ah, 1, 0x77);
	assert_direct(insn_mov_bh, 1, 0xdd);
	assert_direct(insn_mov_sil, 1, FROM & 0xff);
	assert_direct(insn_mov_r9b, 1, 0x08);
	assert_direct(insn_mov_ax, 2, 0x7788);
	assert_direct(insn_mov_r9w, 2, 0x0708);
	assert_direct(insn_mov_eax, 4, 0x55667788);
	assert_direct(insn_mov_rax, 8, 0x1122334455667788);
	assert_direct(insn_mov_r9, 8, 0x0102030405060708);
}
END_TEST

START_TEST(immediates_are_extended_as_the_processor_does)
{
	assert_direct(insn_mov_imm8, 1, 0x81);
	assert_direct(insn_mov_imm16, 2, 0x8123);
	assert_direct(insn_mov_imm32, 4, 0x81234567);
	assert_direct(insn_mov_imm64, 8, (uint64_t)-2);
	assert_direct(insn_mov_imm64_positive, 8, 0x7fffffff);
}
END_TEST

START_TEST(vectors)
{
	assert_direct_xmm(insn_movups, 1, 16);
	assert_direct_xmm(insn_movaps, 15, 16);
	assert_direct_xmm(insn_movdqu, 1, 16);
	assert_direct_xmm(insn_movupd, 1, 16);
	assert_direct_xmm(insn_movq_xmm, 1, 8);
	assert_direct_xmm(insn_movd_xmm, 1, 4);
	assert_direct_xmm(insn_movlps, 1, 8);
	assert_direct_xmm(insn_vmovups, 1, 16);
	assert_direct_xmm(insn_vmovdqu, 1, 16);
	assert_direct_xmm(insn_vmovq, 1, 8);
}
END_TEST

/* Their bytes are not in the part of the frame that is looked at, or not the low ones. */
START_TEST(other_vectors_are_stepped_on_a_copy)
{
	assert_redirect(insn_vmovups_ymm, TO, 32);
	assert_redirect(insn_vmovdqu_ymm, TO, 32);
	assert_redirect(insn_vmovdqu_zmm, TO, 64);
	assert_redirect(insn_vmovdqu_xmm17, TO, 16);
	assert_redirect(insn_vmovups_xmm17, TO, 16);
	assert_redirect(insn_movhps, TO, 8);
	assert_redirect(insn_movss, TO, 4);
	assert_redirect(insn_movsd, TO, 8);
	assert_redirect(insn_movq_mmx, TO, 8);
}
END_TEST

START_TEST(without_vector_state_nothing_is_made_up)
{
	uc.uc_mcontext.fpregs = NULL;
	assert_redirect(insn_movups, TO, 16);
}
END_TEST

START_TEST(a_masked_store_is_not_performed_as_a_whole)
{
	static const unsigned char *const codes[] = {insn_vmovups_masked,
						     insn_vmovdqu_masked, insn_vmaskmov,
						     insn_maskmovdqu, insn_vscatter};

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(codes); i++) {
		decode(codes[i], TO, true);
		ck_assert_msg(insn.plan == FTSAN_PLAN_NONE, "instruction %u", i);
	}
	decode(insn_vgather, TO, false);
	assert_inexact(TO);
}
END_TEST

START_TEST(read_modify_write_is_stepped_on_a_copy)
{
	assert_redirect(insn_add, TO, 8);
	assert_redirect(insn_add_imm, TO + 8, 4);
	assert_redirect(insn_inc, TO, 8);
	assert_redirect(insn_neg, TO, 1);
	assert_redirect(insn_setc, TO, 1);
	assert_redirect(insn_shl, TO, 8);
	assert_redirect(insn_xadd, TO, 8);
	assert_redirect(insn_movnti, TO, 8);
	assert_redirect(insn_mov_segment, TO, 2);
	assert_redirect(insn_add_indexed, TO + 24, 8);
	assert_redirect(insn_pop_mem, TO, 8);
}
END_TEST

START_TEST(a_base_with_a_second_use_cannot_be_moved)
{
	assert_step_only(insn_add_same, TO, 8);
	assert_step_only(insn_add_same_low, TO, 1);
	assert_step_only(insn_add_twice, 2 * (uintptr_t)TO, 8);
	assert_step_only(insn_add_rsp, STACK, 8);
	uc.uc_mcontext.gregs[REG_RAX] = TO;
	assert_step_only(insn_cmpxchg_rax, TO, 8);
}
END_TEST

START_TEST(there_is_no_base_to_move)
{
	uintptr_t address = (uintptr_t)insn_add_rip + 7 + 0x1000;

	if (address % FTSAN_PAGE <= FTSAN_PAGE - 8)
		assert_step_only(insn_add_rip, address, 8);
	decode(insn_mov_absolute, 0x2000, true);
	assert_access(0x2000, 8);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_DIRECT);
}
END_TEST

START_TEST(a_plain_store_needs_no_register_moved)
{
	assert_direct(insn_mov_same, 8, TO);
	decode(insn_mov_twice, 2 * (uintptr_t)TO, true);
	assert_access(2 * (uintptr_t)TO, 8);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_DIRECT);
	decode(insn_mov_rsp, STACK + 8, true);
	assert_access(STACK + 8, 8);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_DIRECT);
}
END_TEST

START_TEST(locked_instructions_are_atomic)
{
	static const struct {
		const unsigned char *code;
		uint32_t size;
	} locked[] = {{insn_lock_add, 8},     {insn_lock_inc, 4}, {insn_lock_xadd, 8},
		      {insn_lock_cmpxchg, 8}, {insn_xchg, 8},	  {insn_xchg_byte, 1}};

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(locked); i++) {
		decode(locked[i].code, TO, true);
		assert_access(TO, locked[i].size);
		ck_assert(insn.access.atomic);
		ck_assert_int_eq(insn.plan, FTSAN_PLAN_NONE);
		/* Inside a window the page cannot even be read. */
		decode(locked[i].code, TO, false);
		ck_assert(insn.access.atomic);
	}
	decode(insn_add, TO, true);
	ck_assert(!insn.access.atomic);
	decode(insn_xadd, TO, true);
	ck_assert(!insn.access.atomic);
}
END_TEST

START_TEST(string_instructions)
{
	assert_step_only(insn_rep_movsq, TO, 8);
	assert_step_only(insn_rep_movsb, TO, 1);
	assert_step_only(insn_movsq, TO, 8);
	assert_step_only(insn_rep_stosq, TO, 8);
	assert_step_only(insn_stosb, TO, 1);
	decode(insn_rep_movsq, FROM, false);
	assert_access(FROM, 8);
	decode(insn_repe_cmpsb, FROM, false);
	assert_access(FROM, 1);
	decode(insn_repe_cmpsb, TO, false);
	assert_access(TO, 1);
}
END_TEST

START_TEST(the_operand_that_faulted)
{
	decode(insn_push_mem, TO, false);
	assert_access(TO, 8);
	decode(insn_call_mem, TO + 3, false);
	assert_access(TO, 8);
	/* The stack pointer has moved on by the time of the store. */
	decode(insn_push, STACK - 8, true);
	assert_inexact(STACK - 8);
	decode(insn_push_mem, STACK - 8, true);
	assert_inexact(STACK - 8);
	/* A fault elsewhere than where the operand lies. */
	decode(insn_mov_rax, TO + 8, true);
	assert_inexact(TO + 8);
	decode(insn_mov_rax, TO - 1, true);
	assert_inexact(TO - 1);
	decode(insn_lea, TO, false);
	assert_inexact(TO);
}
END_TEST

START_TEST(addresses_are_computed)
{
	decode(insn_mov_sib, TO + 0x28, true);
	assert_access(TO + 0x28, 8);
	decode(insn_mov_negative, TO - 0x1f, true);
	assert_access(TO - 0x20, 8);
	decode(insn_mov_rip, (uintptr_t)insn_mov_rip + 7 + 0x1000, true);
	assert_access((uintptr_t)insn_mov_rip + 7 + 0x1000, 8);
}
END_TEST

START_TEST(segments_and_short_addresses_are_left_alone)
{
	decode(insn_mov_fs, TO, true);
	assert_inexact(TO);
	decode(insn_mov_gs, TO, true);
	assert_inexact(TO);
	decode(insn_mov_edi, TO, true);
	assert_inexact(TO);
	ck_assert_uint_gt(insn.length, 0);
}
END_TEST

START_TEST(a_store_across_pages_is_not_emulated)
{
	uintptr_t edge = (TO & ~(FTSAN_PAGE - 1)) + FTSAN_PAGE;

	uc.uc_mcontext.gregs[REG_RDI] = (greg_t)(edge - 8);
	decode(insn_mov_rax, edge - 8, true);
	assert_access(edge - 8, 8);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_DIRECT);
	uc.uc_mcontext.gregs[REG_RDI] = (greg_t)(edge - 7);
	assert_step_only(insn_mov_rax, edge - 7, 8);
	/* The processor names the second page where only that one refuses. */
	decode(insn_mov_rax, edge, true);
	assert_access(edge - 7, 8);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_NONE);
	assert_step_only(insn_add, edge - 7, 8);
}
END_TEST

START_TEST(large_operands_are_not_emulated)
{
	assert_step_only(insn_fxsave, TO, 512);
}
END_TEST

START_TEST(loads)
{
	static const struct {
		const unsigned char *code;
		uint32_t size;
	} forms[] = {{insn_load8, 1},	  {insn_load_sign, 4}, {insn_load64, 8},
		     {insn_load_xmm, 16}, {insn_load_ymm, 32}, {insn_add, 8}};

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(forms); i++) {
		decode(forms[i].code, TO + forms[i].size - 1, false);
		assert_access(TO, forms[i].size);
		ck_assert(!insn.access.atomic);
		ck_assert_int_eq(insn.plan, FTSAN_PLAN_NONE);
	}
	decode(insn_load_cmp, TO + 8, false);
	assert_access(TO + 8, 8);
	decode(insn_load_lock, TO, false);
	ck_assert(insn.access.atomic);
}
END_TEST

START_TEST(garbage_is_one_byte)
{
	static const unsigned char *const codes[] = {insn_invalid, insn_prefixes,
						     insn_cut};

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(codes); i++) {
		decode(codes[i], TO, true);
		assert_inexact(TO);
		ck_assert(!insn.access.atomic);
	}
	decode(insn_invalid, TO, true);
	ck_assert_uint_eq(insn.length, 0);
}
END_TEST

/* Every pair of first bytes: no crash, and never a range without the fault in it. */
START_TEST(any_bytes_at_all)
{
	unsigned char code[32];
	uint32_t seed = 1;

	for (unsigned first = 0; first < 0x10000; first++) {
		code[0] = (unsigned char)first;
		code[1] = (unsigned char)(first >> 8);
		for (unsigned i = 2; i < sizeof(code); i++)
			code[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >>
						  24);
		decode(code, TO, first % 2 == 0);
		ck_assert_uint_ge(insn.access.size, 1);
		ck_assert_uint_lt(TO - insn.access.address, insn.access.size);
		ck_assert_uint_le(insn.length, FTSAN_INSN_MAX);
		if (insn.plan != FTSAN_PLAN_NONE) {
			ck_assert(insn.access.exact && !insn.access.atomic);
			ck_assert_uint_le(insn.access.size, FTSAN_OPERAND_MAX);
		}
	}
}
END_TEST

START_TEST(code_at_the_end_of_a_mapping)
{
	unsigned char *code = mmap(NULL, 2 * FTSAN_PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(code, MAP_FAILED);
	/* Across the page boundary: both pages are there. */
	memcpy(code + FTSAN_PAGE - 2, insn_mov_imm64, 7);
	decode(code + FTSAN_PAGE - 2, TO, true);
	assert_access(TO, 8);
	ck_assert_uint_eq(insn.length, 7);
	/* Up to the boundary: the second page is never read. */
	ck_assert_int_eq(mprotect(code + FTSAN_PAGE, FTSAN_PAGE, PROT_NONE), 0);
	memcpy(code + FTSAN_PAGE - 7, insn_mov_imm64, 7);
	decode(code + FTSAN_PAGE - 7, TO, true);
	assert_access(TO, 8);
}
END_TEST

START_TEST(without_a_decoder)
{
	ftsan_decode_init(NULL, NULL);
	ck_assert(!ftsan_decode_available());
	decode(insn_mov_rax, TO + 3, true);
	assert_inexact(TO + 3);
	ck_assert_uint_eq(insn.length, 0);
	decode(insn_load64, TO, false);
	assert_inexact(TO);
	ck_assert(!insn.access.atomic);
	ftsan_decode_init(zydis("ZydisDecoderInit"), NULL);
	ck_assert(!ftsan_decode_available());
}
END_TEST

/* What synchronises is told all the same. */
START_TEST(atomics_without_a_decoder)
{
	static const unsigned char *const locked[] = {
		insn_lock_add,	   insn_lock_inc, insn_lock_xadd, insn_lock_cmpxchg,
		insn_lock_xchg_16, insn_xchg,	  insn_xchg_byte, insn_xchg_r9};
	static const unsigned char *const others[] = {
		insn_add,    insn_xadd,	    insn_mov_r9w, insn_mov_imm16, insn_rep_movsq,
		insn_mov_fs, insn_prefixes, insn_invalid, insn_movups};

	ftsan_decode_init(NULL, NULL);
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(locked); i++) {
		decode(locked[i], TO, true);
		ck_assert_msg(insn.access.atomic, "locked instruction %u", i);
	}
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(others); i++) {
		decode(others[i], TO, true);
		ck_assert_msg(!insn.access.atomic, "other instruction %u", i);
	}
}
END_TEST

/* Two breakpoints of ours: at the instruction, and inside another one that follows. */
static unsigned char patched[64];

static void restore_patched(uintptr_t at, unsigned char *code, size_t n)
{
	const uintptr_t sites[] = {(uintptr_t)patched, (uintptr_t)patched + 3};
	const unsigned char original[] = {0x48, 0x48};

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(sites); i++)
		if (sites[i] - at < n)
			code[sites[i] - at] = original[i];
}

START_TEST(breakpoints_of_ours_are_looked_through)
{
	struct ftsan_watch_insn before;
	struct ftsan_operand operand;
	/* mov %rax,(%rdi); add %rax,(%rdi) */
	static const unsigned char code[] = {0xcc, 0x89, 0x07, 0xcc, 0x01, 0x07};

	memcpy(patched, code, sizeof(code));
	decode(patched, TO, true);
	ck_assert(!insn.access.exact);
	ftsan_text_patched_by(restore_patched);
	decode(patched, TO, true);
	assert_access(TO, 8);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_DIRECT);
	ck_assert_uint_eq(insn.length, 3);
	decode(patched + 3, TO, true);
	assert_access(TO, 8);
	ck_assert(insn.rmw);
	uc.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)patched;
	ck_assert(ftsan_decode_operand(&operand, &uc, TO) && operand.found);
	uc.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)(patched + 6);
	ftsan_decode_before(&before, &uc, TO, 8);
	ck_assert_int_eq(before.form, FTSAN_FORM_PLAIN);
	ck_assert(before.reads && before.writes);
	ftsan_text_patched_by(NULL);
}
END_TEST

static void add_stores(TCase *tests)
{
	tcase_add_test(tests, registers_of_every_width);
	tcase_add_test(tests, immediates_are_extended_as_the_processor_does);
	tcase_add_test(tests, vectors);
	tcase_add_test(tests, other_vectors_are_stepped_on_a_copy);
	tcase_add_test(tests, without_vector_state_nothing_is_made_up);
	tcase_add_test(tests, a_masked_store_is_not_performed_as_a_whole);
	tcase_add_test(tests, read_modify_write_is_stepped_on_a_copy);
	tcase_add_test(tests, a_base_with_a_second_use_cannot_be_moved);
	tcase_add_test(tests, there_is_no_base_to_move);
	tcase_add_test(tests, a_plain_store_needs_no_register_moved);
	tcase_add_test(tests, locked_instructions_are_atomic);
	tcase_add_test(tests, string_instructions);
	tcase_add_test(tests, a_store_across_pages_is_not_emulated);
	tcase_add_test(tests, large_operands_are_not_emulated);
}

static void add_others(TCase *tests)
{
	tcase_add_test(tests, the_operand_that_faulted);
	tcase_add_test(tests, addresses_are_computed);
	tcase_add_test(tests, segments_and_short_addresses_are_left_alone);
	tcase_add_test(tests, loads);
	tcase_add_test(tests, garbage_is_one_byte);
	tcase_add_test(tests, any_bytes_at_all);
	tcase_add_test(tests, code_at_the_end_of_a_mapping);
	tcase_add_test(tests, breakpoints_of_ours_are_looked_through);
	tcase_add_test(tests, without_a_decoder);
	tcase_add_test(tests, atomics_without_a_decoder);
}

int main(void)
{
	Suite *suite = suite_create("decode");
	TCase *tests = tcase_create("decode");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	add_stores(tests);
	add_others(tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
