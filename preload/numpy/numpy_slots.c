#include "numpy/numpy_slots.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "numpy/numpy_ops.h"
#include "operations/operations.h"
#include "python/python.h"

/* The protocols' tables, in words (Include/cpython/object.h, 3.13.5; the same since 3.5).
 */
enum { NB_BOOL = 9, NB_INT = 16, NB_FLOAT = 18, NB_INDEX = 33 };
enum { SQ_ITEM = 3, SQ_ASS_ITEM = 5, SQ_CONTAINS = 7 };
enum { MP_SUBSCRIPT = 1, MP_ASS_SUBSCRIPT = 2 };
enum { BF_GETBUFFER = 0 };

/* PyWrapperDescrObject behind PyObject_HEAD: d_type, d_name, d_qualname, d_base,
 * d_wrapped (Include/cpython/descrobject.h, 3.13.5; the same since 3.3). */
enum { DESCRIPTOR_WRAPPED = 32 };

/**
 * struct slot - one function of a type
 * @table:   enum ftsan_type_member of the protocol's table, or of the slot itself
 * @index:   word of that table, -1: @table is the slot itself
 * @objects, @outputs: of struct ftsan_args
 * @race:    in mode=race, too
 */
struct slot {
	uint16_t table;
	int8_t index;
	uint8_t objects, outputs;
	bool race;
	const char *name;
};

/*
 * Not here:
 * - the operators of tp_as_number that do arithmetic. Each calls a ufunc, which is an
 *   operation of its own (numpy_ufunc.c), and array_add() and its like compare the slot
 *   of the other operand with their own address to tell a + b from a reflected b + a
 *   (numpy/_core/src/common/binop_override.h, BINOP_IS_FORWARD, 2.1 to HEAD);
 * - lengths, which read one word;
 * - tp_dealloc, whose argument is no array any more when it returns.
 */
static const struct slot array_slots[] = {
	{FTSAN_TP_AS_MAPPING, MP_SUBSCRIPT, 3, 0, true, "__getitem__"},
	{FTSAN_TP_AS_MAPPING, MP_ASS_SUBSCRIPT, 7, 1, true, "__setitem__"},
	{FTSAN_TP_AS_SEQUENCE, SQ_ITEM, 1, 0, false, "__getitem__"},
	{FTSAN_TP_AS_SEQUENCE, SQ_ASS_ITEM, 5, 1, false, "__setitem__"},
	{FTSAN_TP_AS_SEQUENCE, SQ_CONTAINS, 3, 0, false, "__contains__"},
	{FTSAN_TP_AS_NUMBER, NB_BOOL, 1, 0, false, "__bool__"},
	{FTSAN_TP_AS_NUMBER, NB_INT, 1, 0, false, "__int__"},
	{FTSAN_TP_AS_NUMBER, NB_FLOAT, 1, 0, false, "__float__"},
	{FTSAN_TP_AS_NUMBER, NB_INDEX, 1, 0, false, "__index__"},
	{FTSAN_TP_AS_BUFFER, BF_GETBUFFER, 1, 0, true, "__buffer__"},
	{FTSAN_TP_REPR, -1, 1, 0, false, "__repr__"},
	{FTSAN_TP_STR, -1, 1, 0, false, "__str__"},
	{FTSAN_TP_ITER, -1, 1, 0, false, "__iter__"},
	/* All six comparisons; unless the dtype is structured, a ufunc does the work. */
	{FTSAN_TP_RICHCOMPARE, -1, 3, 0, false, "__eq__ or another comparison"},
};

static const struct slot iterator_slots[] = {
	{FTSAN_TP_AS_MAPPING, MP_SUBSCRIPT, 3, 0, false, "__getitem__"},
	{FTSAN_TP_AS_MAPPING, MP_ASS_SUBSCRIPT, 7, 1, false, "__setitem__"},
	{FTSAN_TP_RICHCOMPARE, -1, 3, 0, false, "__eq__ or another comparison"},
};

/*
 * The type's wrapper descriptors (ndarray.__getitem__) hold the function's address, too.
 * They are what super().__getitem__(i) calls, and what the slot of a subclass made by
 * Python code is copied from (Objects/typeobject.c, update_one_slot(), 3.13.5).
 */
static void each_wrapped(const void *type, void (*visit)(void **wrapped, void *argument),
			 void *argument)
{
	void *dict = ftsan_type_get(type, FTSAN_TP_DICT);
	const void *wrapper_type = ftsan_real_lookup(RTLD_DEFAULT, "PyWrapperDescr_Type");
	int (*next)(void *, ptrdiff_t *, void **, void **);
	ptrdiff_t position = 0;
	void *key, *value;

	*(void **)&next = ftsan_real_lookup(RTLD_DEFAULT, "PyDict_Next");
	if (dict == NULL || wrapper_type == NULL || next == NULL)
		return;
	while (next(dict, &position, &key, &value)) {
		void **wrapped = ftsan_object_member(value, DESCRIPTOR_WRAPPED);

		if (ftsan_object_type(value) == wrapper_type)
			visit(wrapped, argument);
	}
}

/* struct redirection - of what to what */
struct redirection {
	const void *from;
	void *to;
};

static void redirect_wrapped(void **wrapped, void *argument)
{
	const struct redirection *redirection = argument;

	if (*wrapped == redirection->from)
		__atomic_store_n(wrapped, redirection->to, __ATOMIC_RELEASE);
}

static void restore_wrapped(void **wrapped, void *unused)
{
	void *original = ftsan_ops_original(*wrapped);

	(void)unused;
	if (original != NULL)
		__atomic_store_n(wrapped, original, __ATOMIC_RELEASE);
}

/* entry_of() - where the slot's address is; NULL: the type has no such table */
static void **entry_of(void *type, const struct slot *slot)
{
	void **table;

	if (slot->index < 0)
		return ftsan_type_entry(type, slot->table);
	table = ftsan_type_get(type, slot->table);
	return table == NULL ? NULL : table + slot->index;
}

static void hook_slot(void *type, const struct slot *slot, const char *owner)
{
	struct ftsan_op op = {
		.operation = {.owner = owner,
			      .name = slot->name,
			      .hands_out = slot->table == FTSAN_TP_AS_BUFFER},
		.args = {.convention = FTSAN_ARGS_OBJECTS,
			 .objects = slot->objects,
			 .outputs = slot->outputs},
	};
	void **entry = entry_of(type, slot);
	void *original, *now;

	if (entry == NULL || *entry == NULL || !(slot->race || ftsan_latent()))
		return;
	if (!ftsan_writable(entry, sizeof(*entry))) {
		ftsan_count(left_out_operations);
		return;
	}
	original = *entry;
	now = ftsan_ops_hook(entry, &op);
	if (now != original)
		each_wrapped(type, redirect_wrapped,
			     &(struct redirection){original, now});
}

static void set(void **entry, void *function)
{
	if (function != NULL)
		__atomic_store_n(entry, function, __ATOMIC_RELEASE);
}

void ftsan_slots_follow(const void *array, void *type)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(array_slots); i++) {
		void **from = entry_of((void *)(uintptr_t)array, &array_slots[i]);
		void **to = entry_of(type, &array_slots[i]);

		if (from == NULL || to == NULL || from == to || *to == NULL ||
		    ftsan_ops_original(*from) != *to)
			continue;
		set(to, *from);
	}
}

/* Every slot that may be a copy of one of ours; and those that are. */
void ftsan_slots_restore(void *type)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(array_slots); i++) {
		void **entry = entry_of(type, &array_slots[i]);

		if (entry != NULL && *entry != NULL)
			set(entry, ftsan_ops_original(*entry));
	}
	for (int member = 0; member < 2; member++) {
		void **entry = ftsan_type_entry(type, member == 0 ? FTSAN_TP_INIT
								  : FTSAN_TP_NEW);

		set(entry, ftsan_ops_original(*entry));
	}
	each_wrapped(type, restore_wrapped, NULL);
}

void ftsan_slots_hook_array(void *type)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(array_slots); i++)
		hook_slot(type, &array_slots[i], "ndarray");
}

void ftsan_slots_hook_iterator(void *type)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(iterator_slots); i++)
		hook_slot(type, &iterator_slots[i], "flatiter");
}

void ftsan_slots_hook_constructor(void *type, enum ftsan_type_member member,
				  const char *owner)
{
	struct ftsan_op op = {
		.operation = {.owner = owner,
			      .name = member == FTSAN_TP_NEW ? "__new__" : "__init__"},
		/* What of its operands an iterator is to write to, its flags say. */
		.args = {.convention = FTSAN_ARGS_TUPLE_DICT, .outputs = 2},
	};
	void **entry = ftsan_type_entry(type, member);

	if (ftsan_latent() && ftsan_writable(entry, sizeof(*entry)))
		ftsan_ops_hook(entry, &op);
}
