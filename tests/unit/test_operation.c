/*
 * operation: which operation a thread is in, what was made meanwhile. Without a guard:
 * no array here has a buffer of its own.
 */
#include <check.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

#include "base/base.h"
#include "operations/operations.h"
#include "threads/threads.h"

enum { HEADER = 0x10000 };

static const struct ftsan_operation reading = {.owner = "ndarray", .name = "read"};
static const struct ftsan_operation changing = {
	.owner = "ndarray", .name = "shape=", .mutator = true};

/* As the stack has them: an inner operation's call lies below its outer one's. */
static struct ftsan_operation_call calls[4];
#define OUTER (&calls[3])
#define MIDDLE (&calls[2])
#define INNER (&calls[1])

static void setup(void)
{
	struct ftsan_options options = {.mode = "latent", .sample = 0};

	ftsan_operation_init(&options, true);
	ck_assert_ptr_nonnull(ftsan_thread_self());
}

static void begin(struct ftsan_operation_call *call,
		  const struct ftsan_operation *operation, uintptr_t header)
{
	struct ftsan_operation_frame *frame =
		ftsan_operation_begin(call, operation, 0x401000);

	if (header != 0 && frame != NULL)
		ftsan_operation_add(frame, header, NULL, false);
}

static const struct ftsan_operation_frame *current(void)
{
	return ftsan_operations_of(ftsan_thread_self())->innermost;
}

static bool is_fresh(uintptr_t header)
{
	return ftsan_operation_is_fresh(ftsan_thread_self(), header);
}

START_TEST(operations_nest)
{
	begin(OUTER, &reading, HEADER);
	ck_assert_ptr_eq(current(), OUTER->frame);
	ck_assert_ptr_null(OUTER->frame->outer);
	begin(INNER, &reading, HEADER + 8);
	ck_assert_ptr_eq(current(), INNER->frame);
	ck_assert_ptr_eq(INNER->frame->outer, OUTER->frame);
	ck_assert_uint_eq(INNER->frame->n_arrays, 1);
	ck_assert_uint_eq(INNER->frame->arrays[0].header, HEADER + 8);
	ftsan_operation_end(INNER);
	ck_assert_ptr_eq(current(), OUTER->frame);
	ftsan_operation_end(OUTER);
	ck_assert_ptr_null(current());
}
END_TEST

START_TEST(arrays_past_the_room_are_left_out)
{
	begin(OUTER, &reading, 0);
	for (unsigned i = 0; i < FTSAN_OPERATION_ARRAYS + 3; i++)
		ftsan_operation_add(OUTER->frame, HEADER + i * 64, NULL, i == 1);
	ck_assert_uint_eq(OUTER->frame->n_arrays, FTSAN_OPERATION_ARRAYS);
	ck_assert(OUTER->frame->arrays[1].output && !OUTER->frame->arrays[2].output);
	ftsan_operation_end(OUTER);
}
END_TEST

START_TEST(what_is_written_to_is_an_output_wherever_it_stands)
{
	begin(OUTER, &reading, HEADER);
	ftsan_operation_add(OUTER->frame, HEADER + 64, NULL, false);
	ftsan_operation_add(OUTER->frame, HEADER, NULL, true);
	ck_assert_uint_eq(OUTER->frame->n_arrays, 3);
	ck_assert(OUTER->frame->arrays[0].output && OUTER->frame->arrays[2].output);
	ck_assert(!OUTER->frame->arrays[1].output);
	ftsan_operation_end(OUTER);
}
END_TEST

static jmp_buf back;

/* Two operations that never end. */
static __attribute__((noinline)) void leave(void)
{
	struct ftsan_operation_call inner[2];

	begin(&inner[1], &reading, HEADER + 64);
	ftsan_operation_born(HEADER + 128);
	begin(&inner[0], &reading, HEADER + 64);
	ck_assert_ptr_eq(current(), inner[0].frame);
	longjmp(back, 1);
}

START_TEST(a_longjmp_drops_the_frames_that_it_left)
{
	struct ftsan_operation_call outer, next;
	bool above = (uintptr_t)&outer > (uintptr_t)&next;
	struct ftsan_operation_call *high = above ? &outer : &next;
	struct ftsan_operation_call *low = above ? &next : &outer;

	begin(high, &reading, HEADER);
	if (setjmp(back) == 0)
		leave();
	begin(low, &reading, HEADER);
	ck_assert_ptr_eq(low->frame->outer, high->frame);
	ftsan_operation_end(low);
	ck_assert_ptr_eq(current(), high->frame);
	ftsan_operation_end(high);
	ck_assert_ptr_null(current());
}
END_TEST

START_TEST(a_longjmp_out_of_everything_begins_anew)
{
	struct ftsan_operation_call frame;

	if (setjmp(back) == 0)
		leave();
	begin(&frame, &reading, HEADER);
	ck_assert_ptr_null(frame.frame->outer);
	/* What was made in the operation that is gone is as old as anything. */
	ck_assert(!is_fresh(HEADER + 128));
	ftsan_operation_end(&frame);
	ck_assert_ptr_null(current());
}
END_TEST

/*
 * A library that switches stacks: the calls of one end while another's go on, and the
 * memory between is whatever the other stack has there.
 */
START_TEST(stacks_may_be_switched)
{
	begin(OUTER, &reading, HEADER);
	begin(INNER, &reading, HEADER + 64);
	/* Another stack has less on it: what it finds below itself is not its own. */
	begin(MIDDLE, &changing, HEADER);
	ck_assert_ptr_eq(current(), MIDDLE->frame);
	ck_assert_ptr_eq(MIDDLE->frame->outer, OUTER->frame);
	/* Back on the first: its call ends late, and ends nobody else's. */
	ftsan_operation_end(INNER);
	ck_assert_ptr_eq(current(), MIDDLE->frame);
	ftsan_operation_end(OUTER);
	ck_assert_ptr_null(current());
	ftsan_operation_end(MIDDLE);
	ck_assert_ptr_null(current());
}
END_TEST

START_TEST(deeper_operations_than_there_is_room_for)
{
	struct ftsan_operation_call deep[FTSAN_OPERATION_DEPTH + 3];
	unsigned n = FTSAN_OPERATION_DEPTH + 3;

	for (unsigned i = n; i-- > 0;)
		begin(&deep[i], &reading, HEADER);
	ck_assert_ptr_nonnull(deep[3].frame);
	ck_assert_ptr_null(deep[2].frame);
	/* Who changes an array in there is not known, so it is held against nobody. */
	ck_assert(is_fresh(HEADER) && deep[n - 1].frame->changed);
	for (unsigned i = 0; i < 3; i++)
		ftsan_operation_end(&deep[i]);
	ck_assert_ptr_eq(current(), deep[3].frame);
	ftsan_operation_end(&deep[3]);
	begin(&deep[3], &reading, HEADER);
	ck_assert(!is_fresh(HEADER));
	for (unsigned i = 3; i < n; i++)
		ftsan_operation_end(&deep[i]);
	ck_assert_ptr_null(current());
}
END_TEST

START_TEST(what_is_made_inside_is_fresh)
{
	ftsan_operation_born(HEADER); /* before the operation: nobody's */
	begin(OUTER, &reading, 0);
	ck_assert(!is_fresh(HEADER));
	ftsan_operation_born(HEADER + 64);
	ck_assert(is_fresh(HEADER + 64));
	begin(INNER, &reading, 0);
	/* Fresh is what the outermost one made, whichever is looked at. */
	ck_assert(is_fresh(HEADER + 64));
	ftsan_operation_born(HEADER + 128);
	ftsan_operation_end(INNER);
	ck_assert(is_fresh(HEADER + 128) && !is_fresh(HEADER));
	ftsan_operation_end(OUTER);
	begin(OUTER, &reading, 0);
	ck_assert(!is_fresh(HEADER + 64) && !is_fresh(HEADER + 128));
	ftsan_operation_end(OUTER);
}
END_TEST

START_TEST(more_births_than_room_make_everything_fresh)
{
	begin(OUTER, &reading, 0);
	for (uintptr_t i = 0; i < FTSAN_BIRTHS; i++)
		ftsan_operation_born(HEADER + i * 64);
	ck_assert(is_fresh(HEADER + (FTSAN_BIRTHS - 1) * 64));
	ck_assert(!is_fresh(HEADER - 64));
	ftsan_operation_born(HEADER + FTSAN_BIRTHS * 64);
	ck_assert(is_fresh(HEADER - 64));
	/* Until the outermost one ends. */
	begin(INNER, &reading, 0);
	ck_assert(is_fresh(HEADER - 64));
	ftsan_operation_end(INNER);
	ftsan_operation_end(OUTER);
	begin(OUTER, &reading, 0);
	ck_assert(!is_fresh(HEADER - 64));
	ftsan_operation_end(OUTER);
}
END_TEST

START_TEST(an_unnoticed_birth_makes_everything_fresh)
{
	begin(OUTER, &reading, 0);
	ftsan_operation_born_unnoticed();
	ck_assert(is_fresh(HEADER));
	ftsan_operation_end(OUTER);
	begin(OUTER, &reading, 0);
	ck_assert(!is_fresh(HEADER));
	ftsan_operation_end(OUTER);
}
END_TEST

START_TEST(arguments_of_the_outermost_operation_are_old)
{
	begin(OUTER, &reading, HEADER);
	ftsan_operation_born_unnoticed();
	begin(INNER, &reading, HEADER + 64);
	ck_assert(!is_fresh(HEADER));
	ck_assert(is_fresh(HEADER + 64));
	ftsan_operation_end(INNER);
	ftsan_operation_end(OUTER);
}
END_TEST

START_TEST(a_mutator_excuses_the_operations_around_it)
{
	begin(OUTER, &reading, HEADER);
	begin(MIDDLE, &reading, HEADER + 64);
	begin(INNER, &changing, HEADER);
	ck_assert(!OUTER->frame->changed);
	ftsan_operation_end(INNER);
	ck_assert(OUTER->frame->changed && !MIDDLE->frame->changed);
	ftsan_operation_end(MIDDLE);
	ck_assert(OUTER->frame->changed);
	ftsan_operation_end(OUTER);
}
END_TEST

START_TEST(other_operations_excuse_nothing)
{
	begin(OUTER, &reading, HEADER);
	begin(INNER, &reading, HEADER);
	ftsan_operation_end(INNER);
	ck_assert(!OUTER->frame->changed);
	/* Nor does a mutator of another array, or one whose second argument it is. */
	begin(INNER, &changing, HEADER + 64);
	ftsan_operation_add(INNER->frame, HEADER, NULL, false);
	ftsan_operation_end(INNER);
	ck_assert(!OUTER->frame->changed);
	begin(INNER, &changing, 0);
	ftsan_operation_end(INNER);
	ck_assert(!OUTER->frame->changed);
	ftsan_operation_end(OUTER);
}
END_TEST

START_TEST(mutators_are_not_watched)
{
	begin(OUTER, &reading, HEADER);
	ck_assert(OUTER->frame->sampled);
	begin(INNER, &changing, HEADER);
	ck_assert(!INNER->frame->sampled);
	ftsan_operation_end(INNER);
	ftsan_operation_end(OUTER);
	ck_assert_uint_eq(ftsan_counted(operations_sampled), 1);
}
END_TEST

START_TEST(without_latent_mode_nothing_is_sampled)
{
	struct ftsan_options options = {.mode = "race", .sample = 0};

	ftsan_operation_init(&options, true);
	ck_assert(!ftsan_latent());
	begin(OUTER, &reading, HEADER);
	ck_assert(!OUTER->frame->sampled);
	ftsan_operation_end(OUTER);
	options = (struct ftsan_options){.mode = "all", .sample = 0};
	ftsan_operation_init(&options, true);
	ck_assert(ftsan_latent());
}
END_TEST

static void *look_elsewhere(void *unused)
{
	(void)unused;
	ck_assert_ptr_null(current());
	begin(INNER, &changing, HEADER);
	ck_assert_ptr_null(INNER->frame->outer);
	ftsan_operation_end(INNER);
	ftsan_thread_release();
	return NULL;
}

START_TEST(threads_have_operations_of_their_own)
{
	pthread_t thread;

	begin(OUTER, &reading, HEADER);
	ck_assert_int_eq(pthread_create(&thread, NULL, look_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	ck_assert_ptr_eq(current(), OUTER->frame);
	ck_assert(!OUTER->frame->changed);
	ftsan_operation_end(OUTER);
}
END_TEST

static void *end_inside(void *unused)
{
	(void)unused;
	begin(INNER, &reading, HEADER);
	ftsan_operation_thread_end(ftsan_thread_self());
	ftsan_thread_release();
	return NULL;
}

/* A record that is used again knows nothing of its last owner's operations. */
START_TEST(a_thread_that_ended_inside_leaves_nothing)
{
	pthread_t thread;

	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, end_inside, NULL), 0);
		pthread_join(thread, NULL);
		ck_assert_int_eq(pthread_create(&thread, NULL, look_elsewhere, NULL), 0);
		pthread_join(thread, NULL);
	}
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, operations_nest);
	tcase_add_test(tests, arrays_past_the_room_are_left_out);
	tcase_add_test(tests, what_is_written_to_is_an_output_wherever_it_stands);
	tcase_add_test(tests, a_longjmp_drops_the_frames_that_it_left);
	tcase_add_test(tests, a_longjmp_out_of_everything_begins_anew);
	tcase_add_test(tests, stacks_may_be_switched);
	tcase_add_test(tests, deeper_operations_than_there_is_room_for);
	tcase_add_test(tests, what_is_made_inside_is_fresh);
	tcase_add_test(tests, more_births_than_room_make_everything_fresh);
	tcase_add_test(tests, an_unnoticed_birth_makes_everything_fresh);
	tcase_add_test(tests, arguments_of_the_outermost_operation_are_old);
	tcase_add_test(tests, a_mutator_excuses_the_operations_around_it);
	tcase_add_test(tests, other_operations_excuse_nothing);
	tcase_add_test(tests, mutators_are_not_watched);
	tcase_add_test(tests, without_latent_mode_nothing_is_sampled);
	tcase_add_test(tests, threads_have_operations_of_their_own);
	tcase_add_test(tests, a_thread_that_ended_inside_leaves_nothing);
}

int main(void)
{
	Suite *suite = suite_create("operation");
	TCase *tests = tcase_create("operation");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	add_tests(tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
