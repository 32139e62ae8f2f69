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

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *tests = tcase_create("ring");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, bounds_are_kept);
	tcase_add_test(tests, who_is_busy_makes_room_afterwards);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
