/* recycle: quarantined buffers are opened several at a time, and nothing else is. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/guard_host.h"
#include "base/base.h"
#include "pages/pages.h"
#include "pages/publish.h"
#include "pages/recycle.h"
#include "threads/threads.h"

enum { SLOTS = 2048, QUARANTINE = 64, THREADS = 4, KEPT = 32, ROUNDS = 4000 };

static const struct ftsan_alloc_site nowhere;
static int pipes[2];
static int zero;

static void setup(void)
{
	struct ftsan_options options;

	ftsan_options_init(&options);
	options.slots = SLOTS;
	options.quarantine = QUARANTINE;
	ck_assert_int_eq(ftsan_guard_init(&options, &plain_host, true), 0);
	ck_assert_int_eq(pipe(pipes), 0);
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

static void teardown(void)
{
	close(pipes[0]);
	close(pipes[1]);
	close(zero);
}

static void *make(void)
{
	void *buffer = ftsan_guard_alloc(FTSAN_ADAPTER_CANARY, 64, 0, &nowhere);

	ck_assert_ptr_nonnull(buffer);
	return buffer;
}

static void *make_published(void)
{
	void *buffer = make();

	ck_assert(ftsan_guard_publish(buffer));
	return buffer;
}

/* The kernel says what the page allows, and no signal is raised. */
static bool readable(const void *buffer)
{
	char byte;

	return write(pipes[1], buffer, 1) == 1 && read(pipes[0], &byte, 1) == 1;
}

static bool writable(void *buffer)
{
	return read(zero, buffer, 1) == 1;
}

static void check_page(uint32_t slot)
{
	void *buffer = (void *)ftsan_slot_buffer(slot);

	switch (ftsan_word_state(ftsan_slot_word(slot))) {
	case FTSAN_FREE:
	case FTSAN_PRIVATE:
		ck_assert_msg(writable(buffer), "slot %u is not open", slot);
		return;
	case FTSAN_PUBLISHED:
		ck_assert_msg(readable(buffer) && !writable(buffer),
			      "slot %u is not sealed", slot);
		return;
	case FTSAN_QUARANTINED:
		ck_assert_msg(!readable(buffer), "slot %u is not closed", slot);
		return;
	default:
		ck_abort_msg("slot %u is on its way", slot);
	}
}

static void check_pages(void)
{
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i))
		if (ftsan_slot_at(i)->pages != 0)
			check_page(i);
}

static unsigned quarantined(void)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i))
		n += ftsan_word_state(ftsan_slot_word(i)) == FTSAN_QUARANTINED;
	return n;
}

START_TEST(a_full_quarantine_lets_neighbours_go)
{
	void *buffers[QUARANTINE + 1];
	unsigned before;

	for (unsigned i = 0; i <= QUARANTINE; i++)
		buffers[i] = make_published();
	for (unsigned i = 0; i < QUARANTINE; i++)
		ftsan_guard_free(buffers[i]);
	before = quarantined();
	ck_assert_uint_eq(before, QUARANTINE);
	ftsan_guard_free(buffers[QUARANTINE]);
	/* Several have gone, none of the younger half. */
	ck_assert_uint_lt(quarantined(), before);
	ck_assert_uint_ge(quarantined(), QUARANTINE / 2);
	for (unsigned i = QUARANTINE / 2; i <= QUARANTINE; i++)
		ck_assert(!readable(buffers[i]));
	check_pages();
}
END_TEST

START_TEST(what_is_sealed_between_two_stays_sealed)
{
	void *buffers[3 * QUARANTINE];
	unsigned freed = 0;

	for (unsigned i = 0; i < 3 * QUARANTINE; i++)
		buffers[i] = i % 3 == 2 ? make() : make_published();
	for (unsigned i = 0; i < 3 * QUARANTINE; i++) {
		if (i % 3 != 0)
			continue;
		ftsan_guard_free(buffers[i]);
		freed++;
		check_pages();
	}
	ck_assert_uint_eq(freed, QUARANTINE);
	for (unsigned i = 0; i < 40; i++) {
		ftsan_guard_free(make_published());
		check_pages();
	}
	for (unsigned i = 0; i < 3 * QUARANTINE; i++)
		if (i % 3 != 0)
			ftsan_guard_free(buffers[i]);
	check_pages();
}
END_TEST

/* A buffer that a handler looks at must not be used again meanwhile. */
START_TEST(a_pinned_one_stays)
{
	void *buffer = make_published();
	uint32_t slot = ftsan_slot_of((uintptr_t)buffer);

	(void)ftsan_slot_pin(slot);
	ftsan_guard_free(buffer);
	for (unsigned i = 0; i < 4 * QUARANTINE; i++)
		ftsan_guard_free(make_published());
	ck_assert(ftsan_word_state(ftsan_slot_word(slot)) == FTSAN_QUARANTINED);
	ck_assert(!readable(buffer));
	ftsan_slot_unpin(slot);
	for (unsigned i = 0; i < 4 * QUARANTINE; i++)
		ftsan_guard_free(make_published());
	check_pages();
}
END_TEST

START_TEST(while_it_is_held_off_nothing_is_sealed)
{
	void *buffer = make();

	ck_assert(ftsan_publish_hold_off());
	ck_assert(!ftsan_publish_hold_off());
	ck_assert(!ftsan_guard_publish(buffer));
	ck_assert(writable(buffer));
	ftsan_publish_go_on();
	ck_assert(ftsan_guard_publish(buffer));
	ck_assert(!writable(buffer));
	ftsan_guard_free(buffer);
}
END_TEST

static void *churn(void *argument)
{
	unsigned seed = *(const unsigned *)argument;
	void *kept[KEPT] = {NULL};

	for (unsigned i = 0; i < ROUNDS; i++) {
		void **at;

		seed = seed * 1103515245 + 12345;
		at = &kept[seed >> 16 & (KEPT - 1)];
		if (*at != NULL)
			ftsan_guard_free(*at);
		*at = ftsan_guard_alloc(FTSAN_ADAPTER_CANARY, 64, 0, &nowhere);
		if (*at != NULL && (seed >> 24 & 3) != 0)
			(void)ftsan_guard_publish(*at);
	}
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i] != NULL)
			ftsan_guard_free(kept[i]);
	ftsan_slot_give_all(ftsan_thread_self());
	ftsan_thread_release();
	return NULL;
}

START_TEST(threads_at_it_leave_every_page_as_its_state_says)
{
	unsigned seeds[THREADS] = {1, 20, 300, 4000};
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, &seeds[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_pages();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recycle");
	TCase *tests = tcase_create("pages");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_full_quarantine_lets_neighbours_go);
	tcase_add_test(tests, what_is_sealed_between_two_stays_sealed);
	tcase_add_test(tests, a_pinned_one_stays);
	tcase_add_test(tests, while_it_is_held_off_nothing_is_sealed);
	tcase_add_test(tests, threads_at_it_leave_every_page_as_its_state_says);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
