/* pkey: the PKRU of a signal frame, edited in made-up frames; the rung that is taken. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "pages/pkey.h"
#include "pages/store.h"

/* As a CPU with AVX-512 lays it out. */
enum { OFFSET = 2688, SIZE = 2696, FEATURE = 1 << 9 };

static _Alignas(64) unsigned char frame[SIZE + 8];
static unsigned char before[sizeof(frame)];

static void put32(size_t at, uint32_t value)
{
	memcpy(frame + at, &value, sizeof(value));
}

static void put64(size_t at, uint64_t value)
{
	memcpy(frame + at, &value, sizeof(value));
}

static uint64_t get64(size_t at)
{
	uint64_t value;

	memcpy(&value, frame + at, sizeof(value));
	return value;
}

static void setup(void)
{
	memset(frame, 0xa5, sizeof(frame));
	put32(464, 0x46505853);
	put32(468, SIZE + 4);
	put64(472, 0x2e7);
	put32(480, SIZE);
	put64(512, 0x2e7);
	put32(OFFSET, 0x55555554);
	memcpy(before, frame, sizeof(frame));
}

START_TEST(a_key_has_two_bits_of_its_own)
{
	ck_assert_uint_eq(ftsan_pkru_denied(0x55555554, 0), FTSAN_PKEY_DENIES_NOTHING);
	ck_assert_uint_eq(ftsan_pkru_denied(0x55555554, 15), FTSAN_PKEY_DENIES_ALL);
	ck_assert_uint_eq(ftsan_pkru_with(0x55555554, 1, FTSAN_PKEY_DENIES_WRITES),
			  0x55555558);
	ck_assert_uint_eq(ftsan_pkru_with(0xffffffff, 15, FTSAN_PKEY_DENIES_NOTHING),
			  0x3fffffff);
	for (unsigned key = 0; key < 16; key++)
		ck_assert_uint_eq(
			ftsan_pkru_denied(
				ftsan_pkru_with(0, key, FTSAN_PKEY_DENIES_WRITES), key),
			FTSAN_PKEY_DENIES_WRITES);
}
END_TEST

START_TEST(a_frame_gives_its_pkru)
{
	uint32_t pkru = 7;

	ck_assert(ftsan_xstate_get_pkru(frame, OFFSET, &pkru));
	ck_assert_uint_eq(pkru, 0x55555554);
	ck_assert_mem_eq(frame, before, sizeof(frame));
}
END_TEST

START_TEST(an_absent_pkru_denies_nothing)
{
	uint32_t pkru = 7;

	put64(512, 0x2e7 & ~FEATURE);
	ck_assert(ftsan_xstate_get_pkru(frame, OFFSET, &pkru));
	ck_assert_uint_eq(pkru, 0);
}
END_TEST

START_TEST(a_new_pkru_is_marked_present)
{
	put64(512, 0x7);
	ck_assert(ftsan_xstate_set_pkru(frame, OFFSET, 0x8));
	ck_assert_uint_eq(get64(512), 0x7 | FEATURE);
	ck_assert_uint_eq((uint32_t)get64(OFFSET), 0x8);
}
END_TEST

START_TEST(nothing_else_is_changed)
{
	ck_assert(ftsan_xstate_set_pkru(frame, OFFSET, 0x8));
	memcpy(frame + OFFSET, before + OFFSET, 4);
	ck_assert_mem_eq(frame, before, sizeof(frame));
}
END_TEST

static void must_not(uint32_t offset)
{
	uint32_t pkru = 7;

	memcpy(before, frame, sizeof(frame));
	ck_assert(!ftsan_xstate_get_pkru(frame, offset, &pkru));
	ck_assert(!ftsan_xstate_set_pkru(frame, offset, 8));
	ck_assert_uint_eq(pkru, 7);
	ck_assert_mem_eq(frame, before, sizeof(frame));
}

START_TEST(a_frame_without_xstate_is_left_alone)
{
	put32(464, 0);
	must_not(OFFSET);
}
END_TEST

START_TEST(a_frame_without_the_feature_is_left_alone)
{
	put64(472, 0x2e7 & ~FEATURE);
	must_not(OFFSET);
}
END_TEST

START_TEST(a_frame_that_ends_before_is_left_alone)
{
	put32(480, OFFSET + 3);
	must_not(OFFSET);
	put32(480, 0);
	must_not(OFFSET);
}
END_TEST

START_TEST(an_offset_in_the_header_is_refused)
{
	must_not(0);
	must_not(575);
}
END_TEST

START_TEST(a_frame_may_have_no_area_at_all)
{
	uint32_t pkru;

	ck_assert(!ftsan_xstate_get_pkru(NULL, OFFSET, &pkru));
	ck_assert(!ftsan_xstate_set_pkru(NULL, OFFSET, 8));
}
END_TEST

START_TEST(without_a_key_a_frame_is_never_touched)
{
	/* Would fault if it were looked at. */
	ck_assert_uint_eq(ftsan_pkey(), 0);
	ck_assert(!ftsan_pkey_allow_reads(NULL));
	ck_assert(!ftsan_pkey_open(NULL));
	ftsan_pkey_close(NULL);
	ftsan_pkey_enter();
}
END_TEST

START_TEST(only_store_pkey_takes_a_key)
{
	static const char *const others[] = {"auto", "emulate", "step"};

	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(ftsan_store_init(others[i]), 0);
		ck_assert_uint_eq(ftsan_pkey(), 0);
		ck_assert_ptr_null(strstr(ftsan_store_name(), "key"));
	}
	ck_assert_int_lt(ftsan_store_init("pke"), 0);
}
END_TEST

START_TEST(the_next_rung_is_taken_with_the_reason)
{
	/* Neither /proc/self/mem nor a decoder was set up here. */
	ck_assert_int_eq(ftsan_store_init("pkey"), 0);
	if (ftsan_pkey() != 0)
		ck_assert_str_eq(ftsan_store_name(), "pkey");
	else
		ck_assert_ptr_eq(strstr(ftsan_store_name(),
					"step; protection keys are not available: "),
				 ftsan_store_name());
	ftsan_pkey_exit();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pkey");
	TCase *tests = tcase_create("pkey");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, a_key_has_two_bits_of_its_own);
	tcase_add_test(tests, a_frame_gives_its_pkru);
	tcase_add_test(tests, an_absent_pkru_denies_nothing);
	tcase_add_test(tests, a_new_pkru_is_marked_present);
	tcase_add_test(tests, nothing_else_is_changed);
	tcase_add_test(tests, a_frame_without_xstate_is_left_alone);
	tcase_add_test(tests, a_frame_without_the_feature_is_left_alone);
	tcase_add_test(tests, a_frame_that_ends_before_is_left_alone);
	tcase_add_test(tests, an_offset_in_the_header_is_refused);
	tcase_add_test(tests, a_frame_may_have_no_area_at_all);
	tcase_add_test(tests, without_a_key_a_frame_is_never_touched);
	tcase_add_test(tests, only_store_pkey_takes_a_key);
	tcase_add_test(tests, the_next_rung_is_taken_with_the_reason);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
