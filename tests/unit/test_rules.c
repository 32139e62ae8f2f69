/* rules: each rule with what it must and what it must not answer. */
#include <check.h>
#include <stdlib.h>

#include "rules/rules.h"

static struct ftsan_access access_of(enum ftsan_role role, uintptr_t address,
				     uint32_t size)
{
	return (struct ftsan_access){
		.address = address, .size = size, .role = role, .exact = true};
}

static struct ftsan_access locked(struct ftsan_access access)
{
	access.atomic = true;
	return access;
}

/* The rules are symmetric: which thread came first says nothing. */
static bool race(enum ftsan_extent extent, struct ftsan_access a, struct ftsan_access b)
{
	bool answer = ftsan_rule_race(extent, &a, &b);

	ck_assert(ftsan_rule_race(extent, &b, &a) == answer);
	return answer;
}

static bool overlap(uintptr_t a, uint32_t a_size, uintptr_t b, uint32_t b_size)
{
	struct ftsan_access first = access_of(FTSAN_ROLE_READ, a, a_size);
	struct ftsan_access second = access_of(FTSAN_ROLE_READ, b, b_size);
	bool answer = ftsan_rule_overlap(&first, &second);

	ck_assert(ftsan_rule_overlap(&second, &first) == answer);
	return answer;
}

START_TEST(later_windows_are_longer)
{
	ck_assert_uint_eq(ftsan_rule_window_length(1000, 0, 8), 1000);
	ck_assert_uint_eq(ftsan_rule_window_length(1000, 3, 8), 1000);
	ck_assert_uint_eq(ftsan_rule_window_length(1000, 4, 8), 4000);
	ck_assert_uint_eq(ftsan_rule_window_length(0, 4, 8), 0);
}
END_TEST

START_TEST(common_bytes_overlap)
{
	ck_assert(overlap(1000, 8, 1000, 8));
	ck_assert(overlap(1000, 8, 1007, 1));
	ck_assert(overlap(1000, 16, 1008, 8));
	ck_assert(overlap(1000, 64, 1010, 4));
	ck_assert(overlap(UINTPTR_MAX - 7, 8, UINTPTR_MAX, 1));
	ck_assert(overlap(UINTPTR_MAX - 7, 8, UINTPTR_MAX - 7, 8));
}
END_TEST

START_TEST(neighbours_do_not_overlap)
{
	ck_assert(!overlap(1000, 8, 1008, 8));
	ck_assert(!overlap(1000, 8, 999, 1));
	ck_assert(!overlap(1000, 1, 1001, 1));
	ck_assert(!overlap(0, 8, UINTPTR_MAX, 1));
	ck_assert(!overlap(0, 8, UINTPTR_MAX - 7, 8));
}
END_TEST

START_TEST(empty_ranges_overlap_nothing)
{
	ck_assert(!overlap(1000, 0, 1000, 8));
	ck_assert(!overlap(1004, 0, 1000, 8));
	ck_assert(!overlap(1000, 0, 1000, 0));
}
END_TEST

/* Every pair of small ranges against a count of the bytes that both hold. */
START_TEST(overlap_is_a_common_byte)
{
	for (uintptr_t a = 100; a < 110; a++)
		for (uint32_t a_size = 0; a_size < 6; a_size++)
			for (uint32_t b_size = 0; b_size < 6; b_size++) {
				unsigned common = 0;

				for (uintptr_t at = 105; at < 105 + b_size; at++)
					common += at >= a && at < a + a_size;
				ck_assert(overlap(a, a_size, 105, b_size) ==
					  (common > 0));
			}
}
END_TEST

START_TEST(a_store_and_an_access_to_the_same_word_race)
{
	struct ftsan_access write = access_of(FTSAN_ROLE_WRITE, 1000, 8);

	ck_assert(race(FTSAN_EXTENT_BYTES, write, access_of(FTSAN_ROLE_READ, 1000, 8)));
	ck_assert(race(FTSAN_EXTENT_BYTES, write, access_of(FTSAN_ROLE_WRITE, 1000, 8)));
	ck_assert(race(FTSAN_EXTENT_BYTES, write, access_of(FTSAN_ROLE_READ, 1004, 1)));
	ck_assert(race(FTSAN_EXTENT_WHOLE, write, access_of(FTSAN_ROLE_READ, 1000, 8)));
}
END_TEST

START_TEST(reads_never_race)
{
	struct ftsan_access read = access_of(FTSAN_ROLE_READ, 1000, 8);

	ck_assert(!race(FTSAN_EXTENT_BYTES, read, read));
	ck_assert(!race(FTSAN_EXTENT_WHOLE, read, read));
	ck_assert(!race(FTSAN_EXTENT_WHOLE, read, access_of(FTSAN_ROLE_READ, 1008, 8)));
}
END_TEST

START_TEST(other_words_race_only_where_the_whole_is_one_thing)
{
	struct ftsan_access write = access_of(FTSAN_ROLE_WRITE, 1000, 8);
	struct ftsan_access read = access_of(FTSAN_ROLE_READ, 1008, 8);

	ck_assert(!race(FTSAN_EXTENT_BYTES, write, read));
	ck_assert(race(FTSAN_EXTENT_WHOLE, write, read));
	read.role = FTSAN_ROLE_WRITE;
	ck_assert(!race(FTSAN_EXTENT_BYTES, write, read));
	ck_assert(race(FTSAN_EXTENT_WHOLE, write, read));
}
END_TEST

START_TEST(an_inexact_access_is_its_one_byte)
{
	struct ftsan_access write = access_of(FTSAN_ROLE_WRITE, 1000, 8);
	struct ftsan_access read = access_of(FTSAN_ROLE_READ, 1007, 1);

	read.exact = false;
	ck_assert(race(FTSAN_EXTENT_BYTES, write, read));
	read.address = 1008;
	ck_assert(!race(FTSAN_EXTENT_BYTES, write, read));
}
END_TEST

START_TEST(a_locked_access_is_synchronisation)
{
	struct ftsan_access write = access_of(FTSAN_ROLE_WRITE, 1000, 8);
	struct ftsan_access read = access_of(FTSAN_ROLE_READ, 1000, 8);

	ck_assert(race(FTSAN_EXTENT_BYTES, write, read));
	ck_assert(!race(FTSAN_EXTENT_BYTES, locked(write), locked(write)));
	/* A plain load may be C11's atomic load, a plain store its relaxed store. */
	ck_assert(!race(FTSAN_EXTENT_BYTES, locked(write), read));
	ck_assert(!race(FTSAN_EXTENT_BYTES, write, locked(write)));
	ck_assert(!race(FTSAN_EXTENT_WHOLE, locked(write), locked(write)));
}
END_TEST

START_TEST(a_free_is_a_store_to_all_of_it)
{
	struct ftsan_access whole = access_of(FTSAN_ROLE_FREE, 1000, 32);

	ck_assert(race(FTSAN_EXTENT_BYTES, whole, access_of(FTSAN_ROLE_WRITE, 1024, 8)));
	ck_assert(race(FTSAN_EXTENT_BYTES, whole, access_of(FTSAN_ROLE_READ, 1000, 1)));
	ck_assert(race(FTSAN_EXTENT_WHOLE, whole, access_of(FTSAN_ROLE_READ, 1000, 1)));
	ck_assert(race(FTSAN_EXTENT_BYTES, whole, whole));
}
END_TEST

START_TEST(allocating_and_calling_are_no_accesses)
{
	struct ftsan_access alloc = access_of(FTSAN_ROLE_ALLOC, 1000, 8);
	struct ftsan_access call = access_of(FTSAN_ROLE_CALL, 1000, 8);

	ck_assert(!race(FTSAN_EXTENT_BYTES, alloc, access_of(FTSAN_ROLE_READ, 1000, 8)));
	ck_assert(!race(FTSAN_EXTENT_BYTES, call, alloc));
}
END_TEST

/* A question whose answer is yes; each test changes the one thing it is about. */
static struct ftsan_window_question window(void)
{
	return (struct ftsan_window_question){
		.threads = 2,
		.site_windows = 63,
		.site_limit = 64,
		.object_windows = 7,
		.object_limit = 8,
		.elapsed_ns = 10000000000u,
		.budget_percent = 5,
		.length_ns = 1000000,
	};
}

#define assert_window(answer, member, value)                                             \
	do {                                                                             \
		struct ftsan_window_question question_ = window();                       \
		question_.member = (value);                                              \
		ck_assert(ftsan_rule_open_window(&question_) == (answer));               \
	} while (0)

START_TEST(a_window_needs_two_threads)
{
	assert_window(true, threads, 2);
	assert_window(true, threads, 4000);
	assert_window(false, threads, 1);
	assert_window(false, threads, 0);
}
END_TEST

START_TEST(windows_can_be_switched_off)
{
	assert_window(false, length_ns, 0);
	assert_window(false, budget_percent, 0);
}
END_TEST

START_TEST(no_window_at_a_proven_or_exhausted_place)
{
	assert_window(false, site_proven, true);
	assert_window(false, site_windows, 64);
	assert_window(false, site_windows, UINT32_MAX);
	assert_window(false, object_windows, 8);
	assert_window(false, object_limit, 0);
}
END_TEST

START_TEST(no_window_in_the_middle_of_an_operation)
{
	assert_window(true, deviates, false);
	assert_window(false, deviates, true);
}
END_TEST

START_TEST(windows_keep_to_their_budget)
{
	/* 5 % of 10 s and the burst of 100 ms, less the window itself. */
	assert_window(true, spent_ns, 500000000u + 100000000u - 1000000u);
	assert_window(false, spent_ns, 500000000u + 100000000u - 1000000u + 1);
	assert_window(false, spent_ns, UINT64_MAX / 2);
}
END_TEST

START_TEST(a_run_that_has_just_begun_may_open_windows)
{
	struct ftsan_window_question question = window();

	question.elapsed_ns = 0;
	ck_assert(ftsan_rule_open_window(&question));
	question.spent_ns = 100000000u;
	ck_assert(!ftsan_rule_open_window(&question));
	question.budget_percent = 100;
	question.elapsed_ns = 1000000000u;
	ck_assert(ftsan_rule_open_window(&question));
}
END_TEST

#define assert_exhausted(answer, member, value)                                          \
	do {                                                                             \
		struct ftsan_window_question question_ = window();                       \
		question_.member = (value);                                              \
		ck_assert(ftsan_rule_exhausted(&question_) == (answer));                 \
	} while (0)

START_TEST(exhausted_is_for_good)
{
	assert_exhausted(true, site_proven, true);
	assert_exhausted(true, site_windows, 64);
	assert_exhausted(true, object_windows, 8);
	/* With windows=0 nothing ever opens. */
	assert_exhausted(true, site_limit, 0);
}
END_TEST

START_TEST(what_may_change_is_not_exhausted)
{
	assert_exhausted(false, site_proven, false);
	assert_exhausted(false, threads, 1);
	assert_exhausted(false, deviates, true);
	assert_exhausted(false, spent_ns, UINT64_MAX / 2);
}
END_TEST

static struct ftsan_publish_question buffer(void)
{
	return (struct ftsan_publish_question){
		.bound = true,
		.age_ticks = 1,
		.fragments = 0,
		.fragment_limit = 16000,
	};
}

#define assert_publish(answer, member, value)                                            \
	do {                                                                             \
		struct ftsan_publish_question question_ = buffer();                      \
		question_.member = (value);                                              \
		ck_assert_int_eq(ftsan_rule_publish(&question_), (answer));              \
	} while (0)

START_TEST(age_publishes)
{
	assert_publish(FTSAN_PUBLISH_NOW, age_ticks, 1);
	assert_publish(FTSAN_PUBLISH_NOW, age_ticks, UINT32_MAX);
	assert_publish(FTSAN_PUBLISH_LATER, age_ticks, 0);
}
END_TEST

START_TEST(a_foreign_thread_publishes_at_any_age)
{
	struct ftsan_publish_question question = buffer();

	question.age_ticks = 0;
	question.foreign = true;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_NOW);
	question.cooling = true;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_LATER);
}
END_TEST

START_TEST(nobody_publishes_what_nobody_points_at)
{
	assert_publish(FTSAN_PUBLISH_UNBOUND, bound, false);
	assert_publish(FTSAN_PUBLISH_NOW, bound, true);
}
END_TEST

START_TEST(the_last_quarter_of_the_pages_is_for_rare_sites)
{
	struct ftsan_publish_question question = buffer();

	question.site_published = 100;
	question.fragments = 11999;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_NOW);
	question.fragments = 12000;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_OVER_LIMIT);
	question.site_published = 0;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_NOW);
	question.fragments = 16000;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_OVER_LIMIT);
}
END_TEST

START_TEST(publishing_by_age_has_a_budget)
{
	struct ftsan_publish_question question = buffer();

	question.over_budget = true;
	question.site_published = 7;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_NOW);
	question.site_published = 8;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_PUT_OFF);
	question.foreign = true;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_NOW);
	question.foreign = false;
	question.over_budget = false;
	ck_assert_int_eq(ftsan_rule_publish(&question), FTSAN_PUBLISH_NOW);
}
END_TEST

START_TEST(a_share_is_of_what_ran_and_begins_with_a_burst)
{
	ck_assert(!ftsan_rule_spent(0, 0, 0, 0));
	ck_assert(!ftsan_rule_spent(100, 0, 100, 1));
	ck_assert(ftsan_rule_spent(101, 0, 100, 1));
	ck_assert(!ftsan_rule_spent(110, 1000, 100, 1));
	ck_assert(ftsan_rule_spent(111, 1000, 100, 1));
}
END_TEST

static struct ftsan_effort_gain effort(uint64_t passed, uint64_t ran, uint64_t new,
				       uint32_t percent)
{
	struct ftsan_effort_step step = {.passed_ns = passed,
					 .ran_ns = ran,
					 .new_ns = new,
					 .steady_percent = percent};

	return ftsan_rule_effort(&step);
}

START_TEST(what_is_new_counts_in_full)
{
	ck_assert_uint_eq(effort(1000, 1000, 1000, 10).cpu_ns, 1000);
	ck_assert_uint_eq(effort(1000, 1000, 1000, 10).run_ns, 1000);
	ck_assert_uint_eq(effort(1000, 1000, 0, 100).cpu_ns, 1000);
	/* Two processors: twice the time of one, but no more than has passed. */
	ck_assert_uint_eq(effort(1000, 2000, 2000, 10).cpu_ns, 2000);
	ck_assert_uint_eq(effort(1000, 2000, 2000, 10).run_ns, 1000);
}
END_TEST

START_TEST(what_is_repeated_counts_a_part)
{
	ck_assert_uint_eq(effort(1000, 2000, 0, 10).cpu_ns, 200);
	ck_assert_uint_eq(effort(1000, 2000, 0, 10).run_ns, 200);
	ck_assert_uint_eq(effort(1000, 2000, 0, 10).full_ns, 1000);
	ck_assert_uint_eq(effort(1000, 2000, 500, 10).cpu_ns, 650);
	ck_assert_uint_eq(effort(1000, 2000, 0, 0).cpu_ns, 0);
}
END_TEST

START_TEST(a_program_that_waits_counts_a_little)
{
	ck_assert_uint_eq(effort(1600, 0, 0, 10).cpu_ns, 0);
	ck_assert_uint_eq(effort(1600, 0, 0, 10).run_ns, 100);
	ck_assert_uint_eq(effort(1600, 1000, 0, 0).run_ns, 100);
	ck_assert_uint_eq(effort(1600, 1000, 0, 0).full_ns, 1000);
	ck_assert_uint_eq(effort(1600, 400, 400, 10).run_ns, 400);
}
END_TEST

START_TEST(slots_are_admitted_up_to_the_bound)
{
	ck_assert(ftsan_rule_admit(0, 64, 1000));
	ck_assert(ftsan_rule_admit(47, 64, 1000));
	ck_assert(!ftsan_rule_admit(48, 64, 1000));
	ck_assert(ftsan_rule_admit(48, 64, 7));
	ck_assert(!ftsan_rule_admit(48, 64, 8));
	ck_assert(!ftsan_rule_admit(64, 64, 0));
	ck_assert(!ftsan_rule_admit(65, 64, 0));
	ck_assert(!ftsan_rule_admit(0, 0, 0));
}
END_TEST

START_TEST(the_first_calls_are_watched)
{
	for (uint32_t calls = 0; calls < 16; calls++)
		ck_assert(ftsan_rule_sample(calls, 16));
	ck_assert(ftsan_rule_sample(0, 1));
	ck_assert(ftsan_rule_sample(999999, 1000000));
}
END_TEST

/* How many of the calls from @first on are watched. */
static uint32_t watched(uint32_t first, uint32_t n, uint32_t always)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += ftsan_rule_sample(first + i, always);
	return count;
}

START_TEST(later_calls_are_watched_ever_more_rarely)
{
	/* One of two, four, ...: each rate for twice as many calls as the one before. */
	for (uint32_t step = 0; step < 7; step++)
		ck_assert_uint_eq(watched(16u << step, 16u << step, 16), 8);
}
END_TEST

START_TEST(the_rarest_rate_is_for_good)
{
	ck_assert_uint_eq(watched(16 * 128, 256 * 100, 16), 100);
	ck_assert_uint_eq(watched(1u << 30, 256 * 100, 16), 100);
	ck_assert_uint_eq(watched(UINT32_MAX - 256 * 4 + 1, 256 * 4, 1), 4);
	ck_assert_uint_eq(FTSAN_SAMPLE_RAREST, 256);
}
END_TEST

START_TEST(every_call_can_be_asked_for)
{
	ck_assert_uint_eq(watched(0, 10000, 0), 10000);
	ck_assert(ftsan_rule_sample(UINT32_MAX, 0));
}
END_TEST

START_TEST(a_known_operation_is_watched_less)
{
	for (uint32_t calls = 0; calls < 16; calls++) {
		ck_assert(ftsan_rule_sample_known(calls, 16, FTSAN_HARMLESS - 1));
		ck_assert(ftsan_rule_sample_known(calls, 16, FTSAN_HARMLESS) ==
			  ftsan_rule_sample(calls, 4));
	}
	/* The first one always is, and every one that was asked for. */
	ck_assert(ftsan_rule_sample_known(0, 1, UINT32_MAX));
	ck_assert(ftsan_rule_sample_known(12345, 0, UINT32_MAX));
}
END_TEST

START_TEST(a_store_to_an_old_argument_is_a_hazard)
{
	struct ftsan_hazard_question question = {.is_argument = true,
						 .points_here = true};

	ck_assert(ftsan_rule_hazard(&question));
}
END_TEST

#define assert_no_hazard(member, value)                                                  \
	do {                                                                             \
		struct ftsan_hazard_question question_ = {.is_argument = true,           \
							  .points_here = true};          \
		question_.member = (value);                                              \
		ck_assert(!ftsan_rule_hazard(&question_));                               \
	} while (0)

START_TEST(any_excuse_makes_it_none)
{
	assert_no_hazard(is_argument, false);
	assert_no_hazard(mutator, true);
	assert_no_hazard(fresh, true);
	assert_no_hazard(points_here, false);
}
END_TEST

START_TEST(what_changes_nothing_waits_until_imports_are_over)
{
	struct ftsan_hazard_question question = {.is_argument = true,
						 .points_here = true,
						 .unchanged = true,
						 .importing = true};

	ck_assert(!ftsan_rule_hazard(&question));
	question.importing = false;
	ck_assert(ftsan_rule_hazard(&question));
	question.importing = true;
	question.unchanged = false;
	ck_assert(ftsan_rule_hazard(&question));
}
END_TEST

START_TEST(hits_keep_to_their_budget)
{
	/* The burst is good for 5555 hits, and a second for 2777 more. */
	ck_assert(ftsan_rule_watch(0, 0));
	ck_assert(ftsan_rule_watch(5555, 0));
	ck_assert(!ftsan_rule_watch(5556, 0));
	ck_assert(ftsan_rule_watch(5555 + 2777, 1000000000u));
	ck_assert(!ftsan_rule_watch(5555 + 2779, 1000000000u));
	ck_assert(!ftsan_rule_watch(UINT64_MAX / 18000, 0));
}
END_TEST

START_TEST(test_watchpoints_are_aimed_for_a_share_of_the_run_time)
{
	const uint64_t second = 1000000000;

	ck_assert(ftsan_rule_aim(0, 0, 0, false));
	ck_assert(ftsan_rule_aim(2500, 0, 0, false));
	ck_assert(!ftsan_rule_aim(2501, 0, 0, false));
	ck_assert(ftsan_rule_aim(5000, 0, 0, true));
	ck_assert(!ftsan_rule_aim(5001, 0, 0, true));
	ck_assert(ftsan_rule_aim(2500 + 250, 0, second, false));
	ck_assert(!ftsan_rule_aim(2500 + 251, 0, second, false));
	ck_assert(ftsan_rule_aim(5000 + 250, 0, second, true));
	ck_assert(!ftsan_rule_aim(5000 + 251, 0, second, true));
	/* Hits pay for others. */
	ck_assert(ftsan_rule_aim(16000, 1000, 0, false));
	ck_assert(ftsan_rule_aim(18500, 1000, 0, false));
	ck_assert(!ftsan_rule_aim(18501, 1000, 0, false));
}
END_TEST

START_TEST(loads_are_told_by_the_value)
{
	/* Where only stores hit, it is one. */
	ck_assert_int_eq(ftsan_rule_word_role(false, 1, 1, 1), FTSAN_ROLE_WRITE);
	ck_assert_int_eq(ftsan_rule_word_role(false, 1, 2, 3), FTSAN_ROLE_WRITE);
	/* It holds what it held, or what the other thread has stored. */
	ck_assert_int_eq(ftsan_rule_word_role(true, 1, 1, 2), FTSAN_ROLE_READ);
	ck_assert_int_eq(ftsan_rule_word_role(true, 1, 2, 2), FTSAN_ROLE_READ);
	ck_assert_int_eq(ftsan_rule_word_role(true, 1, 3, 2), FTSAN_ROLE_WRITE);
}
END_TEST

static enum ftsan_word_verdict verdict(bool changed, const struct ftsan_access *met,
				       bool inside, bool waits)
{
	struct ftsan_word_question question = {
		.held = access_of(FTSAN_ROLE_WRITE, 1000, 8),
		.changed = changed,
		.met = met,
		.inside = inside,
		.waits = waits,
	};

	return ftsan_rule_word(&question);
}

START_TEST(two_hits_of_a_word_are_a_race)
{
	struct ftsan_access read = access_of(FTSAN_ROLE_READ, 1000, 8);
	struct ftsan_access write = access_of(FTSAN_ROLE_WRITE, 1004, 4);

	ck_assert_int_eq(verdict(true, &read, false, false), FTSAN_WORD_CONFIRMED);
	ck_assert_int_eq(verdict(true, &write, true, true), FTSAN_WORD_CONFIRMED);
}
END_TEST

START_TEST(hits_of_different_words_are_none)
{
	struct ftsan_access next = access_of(FTSAN_ROLE_WRITE, 1008, 8);

	ck_assert_int_eq(verdict(true, &next, false, false), FTSAN_WORD_NOTHING);
}
END_TEST

START_TEST(a_running_operation_makes_a_race_probable)
{
	ck_assert_int_eq(verdict(true, NULL, true, false), FTSAN_WORD_PROBABLE);
	/* It may wait for the lock that makes all of it correct. */
	ck_assert_int_eq(verdict(true, NULL, true, true), FTSAN_WORD_NOTHING);
	ck_assert_int_eq(verdict(true, NULL, false, false), FTSAN_WORD_NOTHING);
}
END_TEST

START_TEST(storing_what_is_there_loses_other_stores)
{
	struct ftsan_access write = access_of(FTSAN_ROLE_WRITE, 1000, 8);
	struct ftsan_access read = access_of(FTSAN_ROLE_READ, 1000, 8);

	ck_assert_int_eq(verdict(false, &write, false, false), FTSAN_WORD_CONFIRMED);
	/* Who reads finds what it would have found. */
	ck_assert_int_eq(verdict(false, &read, true, false), FTSAN_WORD_NOTHING);
	ck_assert_int_eq(verdict(false, NULL, true, false), FTSAN_WORD_NOTHING);
	write.atomic = true;
	ck_assert_int_eq(verdict(false, &write, false, false), FTSAN_WORD_NOTHING);
}
END_TEST

START_TEST(stores_that_count)
{
	ck_assert(ftsan_rule_store_counts(true, false, false));
	ck_assert(ftsan_rule_store_counts(false, true, true));
	ck_assert(!ftsan_rule_store_counts(false, false, true));
	ck_assert(!ftsan_rule_store_counts(false, true, false));
}
END_TEST

START_TEST(a_word_that_changed_meanwhile)
{
	struct ftsan_recheck_question question = {.others = true};

	ck_assert_int_eq(ftsan_rule_recheck(&question), FTSAN_RECHECK_RACE);
	question.exclusive = true;
	ck_assert_int_eq(ftsan_rule_recheck(&question), FTSAN_RECHECK_NOTHING);
	question = (struct ftsan_recheck_question){.latent = true};
	ck_assert_int_eq(ftsan_rule_recheck(&question), FTSAN_RECHECK_HAZARD);
	question.exclusive = true;
	ck_assert_int_eq(ftsan_rule_recheck(&question), FTSAN_RECHECK_NOTHING);
	question = (struct ftsan_recheck_question){.others = false};
	ck_assert_int_eq(ftsan_rule_recheck(&question), FTSAN_RECHECK_NOTHING);
}
END_TEST

static void add_races(TCase *tests)
{
	tcase_add_test(tests, later_windows_are_longer);
	tcase_add_test(tests, common_bytes_overlap);
	tcase_add_test(tests, neighbours_do_not_overlap);
	tcase_add_test(tests, empty_ranges_overlap_nothing);
	tcase_add_test(tests, overlap_is_a_common_byte);
	tcase_add_test(tests, a_store_and_an_access_to_the_same_word_race);
	tcase_add_test(tests, reads_never_race);
	tcase_add_test(tests, other_words_race_only_where_the_whole_is_one_thing);
	tcase_add_test(tests, an_inexact_access_is_its_one_byte);
	tcase_add_test(tests, a_locked_access_is_synchronisation);
	tcase_add_test(tests, a_free_is_a_store_to_all_of_it);
	tcase_add_test(tests, allocating_and_calling_are_no_accesses);
}

static void add_words(TCase *tests)
{
	tcase_add_test(tests, loads_are_told_by_the_value);
	tcase_add_test(tests, two_hits_of_a_word_are_a_race);
	tcase_add_test(tests, hits_of_different_words_are_none);
	tcase_add_test(tests, a_running_operation_makes_a_race_probable);
	tcase_add_test(tests, storing_what_is_there_loses_other_stores);
	tcase_add_test(tests, stores_that_count);
	tcase_add_test(tests, a_word_that_changed_meanwhile);
}

static void add_hazards(TCase *tests)
{
	tcase_add_test(tests, the_first_calls_are_watched);
	tcase_add_test(tests, later_calls_are_watched_ever_more_rarely);
	tcase_add_test(tests, the_rarest_rate_is_for_good);
	tcase_add_test(tests, every_call_can_be_asked_for);
	tcase_add_test(tests, a_known_operation_is_watched_less);
	tcase_add_test(tests, a_store_to_an_old_argument_is_a_hazard);
	tcase_add_test(tests, any_excuse_makes_it_none);
	tcase_add_test(tests, what_changes_nothing_waits_until_imports_are_over);
}

static void add_bounds(TCase *tests)
{
	tcase_add_test(tests, a_window_needs_two_threads);
	tcase_add_test(tests, windows_can_be_switched_off);
	tcase_add_test(tests, no_window_at_a_proven_or_exhausted_place);
	tcase_add_test(tests, no_window_in_the_middle_of_an_operation);
	tcase_add_test(tests, windows_keep_to_their_budget);
	tcase_add_test(tests, a_run_that_has_just_begun_may_open_windows);
	tcase_add_test(tests, hits_keep_to_their_budget);
	tcase_add_test(tests, test_watchpoints_are_aimed_for_a_share_of_the_run_time);
	tcase_add_test(tests, exhausted_is_for_good);
	tcase_add_test(tests, what_may_change_is_not_exhausted);
	tcase_add_test(tests, age_publishes);
	tcase_add_test(tests, a_foreign_thread_publishes_at_any_age);
	tcase_add_test(tests, nobody_publishes_what_nobody_points_at);
	tcase_add_test(tests, the_last_quarter_of_the_pages_is_for_rare_sites);
	tcase_add_test(tests, publishing_by_age_has_a_budget);
	tcase_add_test(tests, a_share_is_of_what_ran_and_begins_with_a_burst);
	tcase_add_test(tests, what_is_new_counts_in_full);
	tcase_add_test(tests, what_is_repeated_counts_a_part);
	tcase_add_test(tests, a_program_that_waits_counts_a_little);
	tcase_add_test(tests, slots_are_admitted_up_to_the_bound);
}

int main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tests = tcase_create("rules");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	add_races(tests);
	add_words(tests);
	add_hazards(tests);
	add_bounds(tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
