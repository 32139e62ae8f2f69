/* ring: blocks that are held back, within bounds. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "freed/ring.h"

enum { BYTES = 1000, BLOCKS = 400, BUDGET = BLOCKS * BYTES };

static _Atomic unsigned released;

static void release(unsigned origin, uintptr_t block)
{
	(void)origin;
	(void)block;
	atomic_fetch_add(&released, 1);
}

static void fill(const struct ftsan_freed_record *record, uint32_t serial)
{
	(void)record;
	(void)serial;
}

static void put(int tid, void (*how)(const struct ftsan_freed_record *, uint32_t))
{
	static _Atomic uintptr_t next = 0x10000;
	struct ftsan_freed_record record = {
		.tid = tid, .bytes = BYTES, .block = atomic_fetch_add(&next, BYTES)};

	ck_assert_uint_ne(ftsan_ring_put(&record, how), 0);
}

static unsigned held(void)
{
	return (unsigned)ftsan_ring_puts() - atomic_load(&released);
}

static void begin(void)
{
	ck_assert_int_eq(ftsan_ring_init(BUDGET, BLOCKS * 2, release), 0);
	for (unsigned i = 0; i < BLOCKS; i++)
		put(1, fill);
	ck_assert_uint_eq(held(), BLOCKS);
}

START_TEST(bounds_are_kept)
{
	begin();
	put(1, fill);
	ck_assert_uint_eq(held(), BLOCKS);
	ftsan_ring_drain();
	ck_assert_uint_eq(held(), 0);
}
END_TEST

static void *put_one(void *unused)
{
	put(2, fill);
	return unused;
}

/* In the middle of a put another thread comes, to a place of its own. */
static void let_another_come(const struct ftsan_freed_record *record, uint32_t serial)
{
	pthread_t thread;

	fill(record, serial);
	ck_assert_int_eq(pthread_create(&thread, NULL, put_one, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(who_is_busy_makes_room_afterwards)
{
	begin();
	put(1, let_another_come);
	ck_assert_uint_le(held(), BLOCKS / 2 + 1);
}
END_TEST

static uint32_t put_one_more(uintptr_t block)
{
	struct ftsan_freed_record record = {.tid = 1, .bytes = 8, .block = block};

	return ftsan_ring_put(&record, fill);
}

/* Once for each record that there may be, and some more. */
START_TEST(a_serial_is_of_one_block)
{
	uint32_t first, last = 0;

	ck_assert_int_eq(ftsan_ring_init(UINT64_MAX, 16, release), 0);
	first = put_one_more(0x1000);
	ck_assert_uint_eq(ftsan_ring_at(first)->block, 0x1000);
	for (uintptr_t block = 0x2000; block < 0x2000 + 8 * 20000; block += 8) {
		last = put_one_more(block);
		ck_assert_uint_ne(last, 0);
		ck_assert_uint_ne(last, first);
		ck_assert_uint_eq(ftsan_ring_at(last)->block, block);
	}
	ck_assert_ptr_null(ftsan_ring_at(first));
	ck_assert_uint_eq(held(), 15);
}
END_TEST

/* A detach, and an attach that wants more: the records are those of the first time. */
START_TEST(more_is_wanted_later)
{
	ck_assert_int_eq(ftsan_ring_init(UINT64_MAX, 16, release), 0);
	put(1, fill);
	ftsan_ring_drain();
	ck_assert_int_eq(ftsan_ring_init(UINT64_MAX, 16384, release), 0);
	for (unsigned i = 0; i < 40000; i++)
		put(1, fill);
	ck_assert_uint_gt(held(), 1000);
	ftsan_ring_drain();
	ck_assert_uint_eq(held(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *tests = tcase_create("ring");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, bounds_are_kept);
	tcase_add_test(tests, who_is_busy_makes_room_afterwards);
	tcase_add_test(tests, a_serial_is_of_one_block);
	tcase_add_test(tests, more_is_wanted_later);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
