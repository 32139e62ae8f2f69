/* held: which locks a thread holds, when releases are missing, too. */
#include <check.h>
#include <stdlib.h>

#include "locks/locks.h"
#include "threads/threads.h"

/* More than the list has room for. */
enum { MANY = 3 * FTSAN_HELD_MAX };

static const struct ftsan_lock_place place = {.pc = 0x1000, .sp = 0x2000};
static char locks[MANY], outer, inner;

static void setup(void)
{
	ck_assert_ptr_nonnull(ftsan_thread_self());
	ftsan_held_thread_end(ftsan_thread_self());
}

static unsigned entries(const void *lock)
{
	const struct ftsan_held *held = ftsan_held_of(ftsan_thread_self());
	unsigned found = 0;

	for (unsigned i = 0; i < held->n; i++)
		found += held->locks[i].address == (uintptr_t)lock;
	return found;
}

static void take(enum ftsan_lock_kind kind, const void *lock)
{
	ftsan_lock_taken(kind, lock, &place);
}

START_TEST(what_is_taken_is_held_until_it_is_dropped)
{
	take(FTSAN_LOCK_MUTEX, &outer);
	take(FTSAN_LOCK_MUTEX, &inner);
	ftsan_lock_dropped(&outer);
	ck_assert_uint_eq(entries(&outer), 0);
	ck_assert_uint_eq(entries(&inner), 1);
	ftsan_lock_dropped(&inner);
	ck_assert_uint_eq(ftsan_held_of(ftsan_thread_self())->n, 0);
}
END_TEST

/* Condition.wait(timeout): the lock that it waits at is gone, and nobody released it. */
START_TEST(leftovers_leave_room_for_what_is_held)
{
	static const enum ftsan_lock_kind kinds[] = {
		FTSAN_LOCK_LOCK, FTSAN_LOCK_PYTHREAD, FTSAN_LOCK_PYMUTEX,
		FTSAN_LOCK_SEMAPHORE};

	take(FTSAN_LOCK_MUTEX, &outer);
	for (unsigned i = 0; i < MANY; i++)
		take(kinds[_i], &locks[i]);
	ck_assert_uint_eq(entries(&outer), 1);
	take(FTSAN_LOCK_ONCE, &inner);
	ck_assert_uint_eq(entries(&inner), 1);
	ftsan_lock_dropped(&inner);
	ck_assert_uint_eq(entries(&inner), 0);
	ftsan_lock_dropped(&outer);
	ck_assert_uint_eq(entries(&outer), 0);
}
END_TEST

START_TEST(a_lock_that_is_taken_once_more_was_given_back)
{
	take(FTSAN_LOCK_LOCK, &outer);
	take(FTSAN_LOCK_LOCK, &outer);
	ck_assert_uint_eq(entries(&outer), 1);
	ftsan_lock_dropped(&outer);
	ck_assert_uint_eq(entries(&outer), 0);
}
END_TEST

START_TEST(a_recursive_lock_is_held_until_the_last_release)
{
	for (unsigned i = 0; i < MANY; i++) {
		take(FTSAN_LOCK_RLOCK, &outer);
		take(FTSAN_LOCK_MUTEX, &inner);
	}
	for (unsigned i = 1; i < MANY; i++)
		ftsan_lock_dropped(&outer);
	ck_assert_uint_eq(entries(&outer), 1);
	ftsan_lock_dropped(&outer);
	ck_assert_uint_eq(entries(&outer), 0);
	ck_assert_uint_gt(entries(&inner), 0);
}
END_TEST

START_TEST(of_too_many_the_latest_are_known)
{
	for (unsigned i = 0; i < MANY; i++)
		take(FTSAN_LOCK_MUTEX, &locks[i]);
	ck_assert_uint_eq(entries(&locks[0]), 0);
	ck_assert_uint_eq(entries(&locks[MANY - 1]), 1);
	for (unsigned i = MANY; i-- > 0;)
		ftsan_lock_dropped(&locks[i]);
	ck_assert_uint_eq(ftsan_held_of(ftsan_thread_self())->n, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("held");
	TCase *tests = tcase_create("held");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, what_is_taken_is_held_until_it_is_dropped);
	tcase_add_loop_test(tests, leftovers_leave_room_for_what_is_held, 0, 4);
	tcase_add_test(tests, a_lock_that_is_taken_once_more_was_given_back);
	tcase_add_test(tests, a_recursive_lock_is_held_until_the_last_release);
	tcase_add_test(tests, of_too_many_the_latest_are_known);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
