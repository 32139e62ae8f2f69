/* slot: the word's codec, changes of state, pins, and the lists of free slots. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "pages/pages.h"
#include "pages/pages_thread.h"
#include "threads/threads.h"

/* Each test runs in a process of its own, so each has an arena of its own. */
enum { PAGES = 128, SLOTS = PAGES - PAGES / 16 };

static struct ftsan_thread thread;

static void setup(void)
{
	ck_assert_int_eq(ftsan_arena_init(PAGES), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		ftsan_slot_at(i)->pages = 1;
}

/* Patterns that show a neighbour's bit in either field. */
static const uint64_t generations[] = {0, 1, 0x55555555555555, 0xfffffffffffffe};

#define EACH_WORD(word)                                                                  \
	for (unsigned g_ = 0; g_ < 4; g_++)                                              \
		for (uint64_t s_ = FTSAN_FREE, word = generations[g_] << 8 | s_;         \
		     s_ <= FTSAN_RECYCLING; s_++, word = generations[g_] << 8 | s_)

START_TEST(the_fields_of_a_word_come_back)
{
	EACH_WORD(word)
	{
		ck_assert_uint_eq(ftsan_word_state(word), s_);
		ck_assert_uint_eq(ftsan_word_generation(word), generations[g_]);
	}
}
END_TEST

START_TEST(a_field_changes_alone)
{
	EACH_WORD(word)
	{
		uint64_t other = ftsan_word_with_state(word, FTSAN_QUARANTINED);

		ck_assert_uint_eq(ftsan_word_state(other), FTSAN_QUARANTINED);
		ck_assert_uint_eq(other >> 8, word >> 8);
		other = ftsan_word_next_generation(word);
		ck_assert_uint_eq(ftsan_word_generation(other), generations[g_] + 1);
		ck_assert_uint_eq(other & 0xff, word & 0xff);
	}
}
END_TEST

START_TEST(the_last_generation_is_followed_by_the_first)
{
	uint64_t word = 0xffffffffffffffull << 8 | FTSAN_SEALING;

	word = ftsan_word_next_generation(word);
	ck_assert_uint_eq(ftsan_word_generation(word), 0);
	ck_assert_uint_eq(ftsan_word_state(word), FTSAN_SEALING);
}
END_TEST

START_TEST(addresses_and_slots_agree)
{
	uintptr_t base = ftsan_arena.base;

	ck_assert(ftsan_arena_holds(base));
	ck_assert(ftsan_arena_holds(base + PAGES * FTSAN_PAGE - 1));
	ck_assert(!ftsan_arena_holds(base - 1));
	ck_assert(!ftsan_arena_holds(base + PAGES * FTSAN_PAGE));
	ck_assert(!ftsan_arena_holds(0));
	for (uint32_t i = 0; i < PAGES; i++) {
		ck_assert_uint_eq(ftsan_slot_of(ftsan_slot_page(i)), i);
		ck_assert_uint_eq(ftsan_slot_of(ftsan_slot_page(i) + FTSAN_PAGE - 1), i);
	}
	ftsan_slot_at(7)->offset = 64;
	ck_assert_uint_eq(ftsan_slot_buffer(7), base + 7 * FTSAN_PAGE + 64);
	ck_assert_uint_ge(ftsan_arena_bound_bytes(), PAGES * FTSAN_PAGE);
}
END_TEST

START_TEST(a_state_is_left_by_one_only)
{
	ck_assert(ftsan_slot_transition(3, FTSAN_FREE, FTSAN_PRIVATE));
	ck_assert(!ftsan_slot_transition(3, FTSAN_FREE, FTSAN_PRIVATE));
	ck_assert_uint_eq(ftsan_word_state(ftsan_slot_word(3)), FTSAN_PRIVATE);
	ck_assert_uint_eq(ftsan_word_state(ftsan_slot_word(2)), FTSAN_FREE);
}
END_TEST

START_TEST(a_move_by_an_old_word_fails)
{
	uint64_t word = ftsan_slot_word(3), old = word;

	ck_assert(ftsan_slot_move(3, &word, FTSAN_PUBLISHED));
	ck_assert(!ftsan_slot_move(3, &old, FTSAN_PRIVATE));
	/* It got the new word, with which it goes. */
	ck_assert_uint_eq(ftsan_word_state(old), FTSAN_PUBLISHED);
	ck_assert(ftsan_slot_move(3, &old, FTSAN_PRIVATE));
}
END_TEST

START_TEST(a_transition_does_not_mind_pins)
{
	ck_assert_uint_eq(ftsan_word_state(ftsan_slot_pin(3)), FTSAN_FREE);
	ck_assert_uint_eq(ftsan_word_state(ftsan_slot_pin(3)), FTSAN_FREE);
	ck_assert(ftsan_slot_transition(3, FTSAN_FREE, FTSAN_PUBLISHED));
	ftsan_slot_unpin(3);
	ck_assert(ftsan_slot_pinned(3));
	ftsan_slot_unpin(3);
	ck_assert(!ftsan_slot_pinned(3));
	ck_assert_uint_eq(ftsan_slot_word(3), FTSAN_PUBLISHED);
}
END_TEST

static void *pin_and_unpin(void *unused)
{
	for (unsigned i = 0; i < 20000; i++) {
		ftsan_slot_pin(5);
		ftsan_slot_unpin(5);
	}
	return unused;
}

static void *back_and_forth(void *unused)
{
	for (unsigned i = 0; i < 20000; i++) {
		ck_assert(ftsan_slot_transition(5, FTSAN_FREE, FTSAN_PRIVATE));
		ck_assert(ftsan_slot_transition(5, FTSAN_PRIVATE, FTSAN_FREE));
	}
	return unused;
}

START_TEST(pins_and_states_lose_nothing_to_each_other)
{
	pthread_t threads[3];

	for (unsigned i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, i == 0 ? back_and_forth : pin_and_unpin,
			       NULL);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(ftsan_slot_word(5), FTSAN_FREE);
	ck_assert(!ftsan_slot_pinned(5));
}
END_TEST

START_TEST(every_slot_is_handed_out_once)
{
	bool taken[SLOTS] = {false};

	for (unsigned i = 0; i < SLOTS; i++) {
		uint32_t slot = ftsan_slot_take(&thread);

		ck_assert_uint_lt(slot, SLOTS);
		ck_assert(!taken[slot]);
		taken[slot] = true;
	}
	ck_assert_uint_eq(ftsan_slot_take(&thread), FTSAN_NO_SLOT);
	ck_assert_uint_eq(ftsan_slots_taken(), SLOTS);
}
END_TEST

START_TEST(a_full_arena_serves_again_after_one_came_back)
{
	while (ftsan_slot_take(&thread) != FTSAN_NO_SLOT)
		;
	ftsan_slot_give(NULL, 42);
	ck_assert_uint_eq(ftsan_slots_taken(), SLOTS - 1);
	ck_assert_uint_eq(ftsan_slot_take(&thread), 42);
	ck_assert_uint_eq(ftsan_slot_take(&thread), FTSAN_NO_SLOT);
}
END_TEST

static uint32_t count_walked(void)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < PAGES; slot = ftsan_slot_next(slot))
		n++;
	return n;
}

START_TEST(a_small_program_uses_low_slots)
{
	ck_assert_uint_eq(ftsan_slot_take(&thread), 0);
	ck_assert_uint_eq(ftsan_slot_take(&thread), 1);
	/* So that little has to be looked at. */
	ck_assert_uint_eq(count_walked(), FTSAN_MAGAZINE / 2);
}
END_TEST

START_TEST(the_last_freed_is_the_first_reused)
{
	uint32_t a = ftsan_slot_take(&thread), b = ftsan_slot_take(&thread);

	ftsan_slot_give(&thread, a);
	ftsan_slot_give(&thread, b);
	ck_assert_uint_eq(ftsan_slot_take(&thread), b);
	ck_assert_uint_eq(ftsan_slot_take(&thread), a);
}
END_TEST

START_TEST(a_magazine_never_overflows)
{
	uint32_t slots[SLOTS];
	bool seen[SLOTS] = {false};

	for (unsigned i = 0; i < SLOTS; i++)
		slots[i] = ftsan_slot_take(&thread);
	for (unsigned i = 0; i < SLOTS; i++) {
		ftsan_slot_give(&thread, slots[i]);
		ck_assert_uint_le(ftsan_pages_of(&thread)->n_magazine, FTSAN_MAGAZINE);
	}
	/* Those that went to the arena can be had by others. */
	ck_assert_uint_eq(ftsan_slots_taken(), ftsan_pages_of(&thread)->n_magazine);
	for (unsigned i = 0; i < SLOTS; i++) {
		uint32_t slot = ftsan_slot_take(&thread);

		ck_assert_uint_lt(slot, SLOTS);
		ck_assert(!seen[slot]);
		seen[slot] = true;
	}
}
END_TEST

START_TEST(a_span_is_one_slot)
{
	uint32_t span = ftsan_slot_take_span(3), other = ftsan_slot_take_span(2);

	ck_assert_uint_ge(span, SLOTS);
	ck_assert_uint_le(span + 3, PAGES);
	ck_assert(other + 2 <= span || span + 3 <= other);
	for (uintptr_t page = 0; page < 3; page++)
		ck_assert_uint_eq(
			ftsan_slot_of(ftsan_slot_page(span) + page * FTSAN_PAGE + 5),
			span);
	ftsan_slot_at(span)->pages = 3;
	ck_assert_int_eq(ftsan_slot_protect(span, 1, PROT_NONE), 0);
	ck_assert_int_eq(ftsan_slot_protect(span, 1, PROT_READ | PROT_WRITE), 0);
	*(volatile char *)(ftsan_slot_page(span) + 3 * FTSAN_PAGE - 1) = 1;
	/* One of the same length takes its place, and no other. */
	ftsan_slot_give(NULL, span);
	ck_assert_uint_ne(ftsan_slot_take_span(1), span);
	ck_assert_uint_eq(ftsan_slot_take_span(3), span);
}
END_TEST

START_TEST(spans_end_where_single_slots_begin)
{
	unsigned n = 0;
	uint32_t slot;

	while ((slot = ftsan_slot_take_span(2)) != FTSAN_NO_SLOT) {
		ck_assert_uint_ge(slot, SLOTS);
		n++;
	}
	ck_assert_uint_eq(n, (PAGES - SLOTS) / 2);
	ck_assert_uint_eq(ftsan_slot_take_span(16), FTSAN_NO_SLOT);
	ck_assert_uint_eq(ftsan_slot_take(&thread), 0);
}
END_TEST

START_TEST(a_walk_sees_both_ends)
{
	uint32_t single, span = ftsan_slot_take_span(3);
	bool seen[2] = {false};

	do
		single = ftsan_slot_take(&thread);
	while (ftsan_slots_taken() < SLOTS);
	for (uint32_t slot = 0; slot < PAGES; slot = ftsan_slot_next(slot)) {
		seen[0] |= slot == single;
		seen[1] |= slot == span;
	}
	ck_assert(seen[0] && seen[1]);
	ck_assert_uint_eq(count_walked(), SLOTS + 3);
}
END_TEST

START_TEST(an_ending_thread_leaves_nothing_behind)
{
	static struct ftsan_thread other;

	(void)ftsan_slot_take(&thread);
	ftsan_slot_give_all(&thread);
	ck_assert_uint_eq(ftsan_pages_of(&thread)->n_magazine, 0);
	ck_assert_uint_eq(ftsan_slots_taken(), 1);
	for (unsigned i = 1; i < SLOTS; i++)
		ck_assert_uint_ne(ftsan_slot_take(&other), FTSAN_NO_SLOT);
	ck_assert_uint_eq(ftsan_slot_take(&other), FTSAN_NO_SLOT);
}
END_TEST

static _Atomic unsigned holders[SLOTS];
static _Atomic unsigned twice;

static void *take_and_give(void *record)
{
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t slot = ftsan_slot_take(record);

		if (slot == FTSAN_NO_SLOT)
			continue;
		if (atomic_fetch_add(&holders[slot], 1) != 0)
			atomic_fetch_add(&twice, 1);
		atomic_fetch_sub(&holders[slot], 1);
		/* Straight to the arena, so that its list is what they share. */
		ftsan_slot_give(i % 3 == 0 ? record : NULL, slot);
	}
	ftsan_slot_give_all(record);
	return NULL;
}

START_TEST(no_slot_has_two_holders)
{
	static struct ftsan_thread records[4];
	pthread_t threads[4];

	for (unsigned i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, take_and_give, &records[i]);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(twice, 0);
	ck_assert_uint_eq(ftsan_slots_taken(), 0);
	for (unsigned i = 0; i < SLOTS; i++)
		ck_assert_uint_ne(ftsan_slot_take(&thread), FTSAN_NO_SLOT);
	ck_assert_uint_eq(ftsan_slot_take(&thread), FTSAN_NO_SLOT);
}
END_TEST

START_TEST(protection_is_of_the_named_pages_only)
{
	*(volatile char *)ftsan_slot_page(11) = 1;
	ck_assert_int_eq(ftsan_slot_protect(11, 2, PROT_READ), 0);
	ck_assert_int_eq(*(volatile char *)ftsan_slot_page(11), 1);
	*(volatile char *)(ftsan_slot_page(11) - 1) = 1;
	*(volatile char *)ftsan_slot_page(13) = 1;
}
END_TEST

START_TEST(a_store_to_a_sealed_page_faults)
{
	ck_assert_int_eq(ftsan_slot_protect(11, 2, PROT_READ), 0);
	*(volatile char *)(ftsan_slot_page(12) + 5) = 1;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("slot");
	TCase *tests = tcase_create("slot");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, the_fields_of_a_word_come_back);
	tcase_add_test(tests, a_field_changes_alone);
	tcase_add_test(tests, the_last_generation_is_followed_by_the_first);
	tcase_add_test(tests, addresses_and_slots_agree);
	tcase_add_test(tests, a_state_is_left_by_one_only);
	tcase_add_test(tests, a_move_by_an_old_word_fails);
	tcase_add_test(tests, a_transition_does_not_mind_pins);
	tcase_add_test(tests, pins_and_states_lose_nothing_to_each_other);
	tcase_add_test(tests, every_slot_is_handed_out_once);
	tcase_add_test(tests, a_full_arena_serves_again_after_one_came_back);
	tcase_add_test(tests, a_small_program_uses_low_slots);
	tcase_add_test(tests, the_last_freed_is_the_first_reused);
	tcase_add_test(tests, a_magazine_never_overflows);
	tcase_add_test(tests, a_span_is_one_slot);
	tcase_add_test(tests, spans_end_where_single_slots_begin);
	tcase_add_test(tests, a_walk_sees_both_ends);
	tcase_add_test(tests, an_ending_thread_leaves_nothing_behind);
	tcase_add_test(tests, no_slot_has_two_holders);
	tcase_add_test(tests, protection_is_of_the_named_pages_only);
	tcase_add_test_raise_signal(tests, a_store_to_a_sealed_page_faults, SIGSEGV);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
