/* The numbers are those of 3.14's Include/moduleobject.h and 3.15's slots_generated.h. */
#include <check.h>
#include <stdlib.h>

#include "python/module_slots.h"

static char a, b, c, d;

static void count_up(struct ftsan_modslot *slot, enum ftsan_modslot_kind kind,
		     void *argument)
{
	unsigned *counts = argument;

	counts[kind]++;
	slot->value = &d;
}

static const struct ftsan_modslot old_slots[] = {
	{.number = 1, .value = &a},
	{.number = 2, .value = &b},
	{.number = 2, .value = &c},
	{.number = 4, .value = (void *)1},
	{0},
};

static const struct ftsan_modslot new_slots[] = {
	{.number = 109, .flags = 4, .value = &a},
	{.number = 94, .flags = 4, .value = (void *)old_slots},
	{.number = 103, .flags = 6, .value = &b},
	{.number = 85, .value = &c},
	{0},
};

START_TEST(finds_either_number)
{
	static const struct ftsan_modslot only_new[] = {
		{.number = 85, .value = &b},
		{.number = 87, .flags = 4, .value = &c},
		{0}};
	void *value = NULL;

	ck_assert(ftsan_modslots_find(old_slots, FTSAN_MODSLOT_GIL, &value));
	ck_assert_ptr_eq(value, (void *)1);
	ck_assert(ftsan_modslots_find(only_new, FTSAN_MODSLOT_GIL, &value));
	ck_assert_ptr_eq(value, &c);
	ck_assert(!ftsan_modslots_find(only_new, FTSAN_MODSLOT_NAME, &value));
	ck_assert(!ftsan_modslots_find(NULL, FTSAN_MODSLOT_GIL, &value));
	ck_assert_uint_eq(ftsan_modslots_count(old_slots, FTSAN_MODSLOT_EXEC), 2);
	ck_assert_uint_eq(ftsan_modslots_count(NULL, FTSAN_MODSLOT_EXEC), 0);
}
END_TEST

START_TEST(looks_into_nested_arrays)
{
	void *value;

	ck_assert(ftsan_modslots_find(new_slots, FTSAN_MODSLOT_GIL, &value));
	ck_assert_ptr_eq(value, (void *)1);
	ck_assert_uint_eq(ftsan_modslots_count(new_slots, FTSAN_MODSLOT_EXEC), 3);
	ck_assert_uint_eq(ftsan_modslots_count(new_slots, FTSAN_MODSLOT_CREATE), 1);
}
END_TEST

START_TEST(a_ring_of_arrays_ends)
{
	struct ftsan_modslot ring[] = {{.number = 92}, {.number = 85, .value = &b}, {0}};
	void *value;

	ring[0].value = ring;
	ck_assert(!ftsan_modslots_find(ring, FTSAN_MODSLOT_GIL, &value));
	ck_assert_uint_eq(ftsan_modslots_count(ring, FTSAN_MODSLOT_EXEC), 6);
}
END_TEST

START_TEST(copies_with_functions_replaced)
{
	const struct ftsan_modslot first = {.number = 110, .value = &a};
	unsigned counts[16] = {0};
	struct ftsan_modslot *copy, *inner;

	copy = ftsan_modslots_copy(new_slots, &first, count_up, counts);
	ck_assert_ptr_nonnull(copy);
	ck_assert_uint_eq(copy[0].number, 110);
	ck_assert_ptr_eq(copy[1].value, &a);
	ck_assert_uint_eq(copy[1].flags, 4);
	inner = copy[2].value;
	ck_assert_ptr_ne(inner, old_slots);
	ck_assert_ptr_eq(copy[3].value, &b);
	ck_assert_ptr_eq(copy[4].value, &d);
	ck_assert_uint_eq(copy[5].number, 0);
	ck_assert_ptr_eq(inner[0].value, &d);
	ck_assert_ptr_eq(inner[2].value, &d);
	ck_assert_ptr_eq(inner[3].value, (void *)1);
	ck_assert_uint_eq(inner[4].number, 0);
	ck_assert_uint_eq(counts[FTSAN_MODSLOT_EXEC], 3);
	ck_assert_uint_eq(counts[FTSAN_MODSLOT_CREATE], 1);
	ck_assert_ptr_eq(old_slots[0].value, &a);
	free(inner);
	free(copy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("module_slots");
	TCase *tcase = tcase_create("module_slots");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, finds_either_number);
	tcase_add_test(tcase, looks_into_nested_arrays);
	tcase_add_test(tcase, a_ring_of_arrays_ends);
	tcase_add_test(tcase, copies_with_functions_replaced);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
