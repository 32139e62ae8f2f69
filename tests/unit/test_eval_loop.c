/* eval_loop: the two parts of a function, in a make-believe image. */
#include <check.h>
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "stacks/eval_loop.h"

#define CODE 0x2000 /* offset of the functions, 0x1000 bytes each */
#define FUNCTIONS 5

static _Alignas(16) struct {
	Elf64_Ehdr elf;
	Elf64_Phdr segments[2];
	unsigned char rest[0x8000];
} image;

static struct ftsan_eval_loop loop;

static uintptr_t base(void)
{
	return (uintptr_t)&image;
}

static uintptr_t function(unsigned index)
{
	return base() + CODE + index * 0x1000;
}

static unsigned char *bytes_at(uintptr_t address)
{
	return (unsigned char *)&image + (address - base());
}

static void setup(void)
{
	static const uint8_t encodings[] = {1, 0x1b, 0x03, 0x3b};
	uint64_t header = offsetof(__typeof__(image), rest);
	uint32_t count = FUNCTIONS;
	unsigned char *at = image.rest;

	memset(&image, 0, sizeof(image));
	memcpy(image.elf.e_ident, ELFMAG, SELFMAG);
	image.elf.e_phoff = offsetof(__typeof__(image), segments);
	image.elf.e_phnum = 2;
	image.segments[0].p_type = PT_LOAD;
	image.segments[1].p_type = PT_GNU_EH_FRAME;
	image.segments[1].p_vaddr = header;
	memcpy(at, encodings, sizeof(encodings));
	memcpy(at + 8, &count, sizeof(count));
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		int32_t offset = (int32_t)(function(i) - base() - header);

		memcpy(at + 12 + i * 8ul, &offset, sizeof(offset));
	}
}

static void put_jump(uintptr_t from, uintptr_t to, bool conditional)
{
	unsigned char *at = bytes_at(from);
	uintptr_t length = conditional ? 6 : 5;
	int32_t distance = (int32_t)(to - from - length);

	if (conditional) {
		*at++ = 0x0f;
		*at++ = 0x84;
	} else {
		*at++ = 0xe9;
	}
	memcpy(at, &distance, sizeof(distance));
}

START_TEST(cold_part_is_what_is_jumped_into)
{
	/* One jump lies across two of the pieces in which the code is read. */
	put_jump(function(2) + 510, function(0) + 0x40, false);
	put_jump(function(2) + 0x800, function(0) + 0x80, true);
	put_jump(function(2) + 0x900, function(3) + 0x10, false);
	ck_assert(ftsan_eval_loop_find(&loop, function(2), base(), base()));
	ck_assert_uint_eq(loop.begin, function(2));
	ck_assert_uint_eq(loop.end, function(3));
	ck_assert_uint_eq(loop.cold_begin, function(0));
	ck_assert_uint_eq(loop.cold_end, function(1));
}
END_TEST

START_TEST(tail_calls_and_own_jumps_make_no_cold_part)
{
	put_jump(function(2) + 0x100, function(0), false);
	put_jump(function(2) + 0x200, function(0), true);
	put_jump(function(2) + 0x300, function(2) + 0x20, false);
	put_jump(function(2) + 0x400, function(2) + 0x20, false);
	/* Once may be chance. */
	put_jump(function(2) + 0x500, function(3) + 0x20, false);
	/* Another function's jumps are its own. */
	put_jump(function(1) + 0x100, function(0) + 0x20, false);
	put_jump(function(1) + 0x200, function(0) + 0x20, false);
	ck_assert(ftsan_eval_loop_find(&loop, function(2), base(), base()));
	ck_assert_uint_eq(loop.begin, function(2));
	ck_assert_uint_eq(loop.cold_end, 0);
}
END_TEST

START_TEST(what_is_not_understood_is_not_used)
{
	ck_assert(!ftsan_eval_loop_find(&loop, function(2) + 1, base(), base()));
	ck_assert_uint_eq(loop.end, 0);
	ck_assert(!ftsan_eval_loop_find(&loop, base(), base(), base()));
	image.rest[3] = 0x1b;
	ck_assert(!ftsan_eval_loop_find(&loop, function(2), base(), base()));
	setup();
	image.segments[1].p_type = PT_NOTE;
	ck_assert(!ftsan_eval_loop_find(&loop, function(2), base(), base()));
	setup();
	image.elf.e_ident[0] = 0;
	ck_assert(!ftsan_eval_loop_find(&loop, function(2), base(), base()));
	ck_assert_uint_eq(loop.end, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("eval_loop");
	TCase *tcase = tcase_create("eval_loop");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, cold_part_is_what_is_jumped_into);
	tcase_add_test(tcase, tail_calls_and_own_jumps_make_no_cold_part);
	tcase_add_test(tcase, what_is_not_understood_is_not_used);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
