#include "crash/type_slots.h"

#include <stddef.h>

#include "base/base.h"

enum { GETSETS_MAX = 256, BASES_MAX = 16 };

/* Entries of a type's own words, and of the three tables it points at
 * (PyNumberMethods, PySequenceMethods, PyMappingMethods; the common ones). */
struct slot {
	enum ftsan_slot_word word;
	int inner; /* word of the table; -1: the slot itself */
	const char *name;
};

static const struct slot slots[] = {
	{FTSAN_SLOT_MAPPING, 2, "__setitem__"},
	{FTSAN_SLOT_MAPPING, 1, "__getitem__"},
	{FTSAN_SLOT_MAPPING, 0, "__len__"},
	{FTSAN_SLOT_SEQUENCE, 5, "__setitem__"},
	{FTSAN_SLOT_SEQUENCE, 3, "__getitem__"},
	{FTSAN_SLOT_SEQUENCE, 0, "__len__"},
	{FTSAN_SLOT_SEQUENCE, 1, "__add__"},
	{FTSAN_SLOT_SEQUENCE, 2, "__mul__"},
	{FTSAN_SLOT_SEQUENCE, 7, "__contains__"},
	{FTSAN_SLOT_SEQUENCE, 8, "__iadd__"},
	{FTSAN_SLOT_SEQUENCE, 9, "__imul__"},
	{FTSAN_SLOT_NUMBER, 0, "__add__"},
	{FTSAN_SLOT_NUMBER, 1, "__sub__"},
	{FTSAN_SLOT_NUMBER, 2, "__mul__"},
	{FTSAN_SLOT_NUMBER, 3, "__mod__"},
	{FTSAN_SLOT_NUMBER, 6, "__neg__"},
	{FTSAN_SLOT_NUMBER, 9, "__bool__"},
	{FTSAN_SLOT_NUMBER, 13, "__and__"},
	{FTSAN_SLOT_NUMBER, 14, "__xor__"},
	{FTSAN_SLOT_NUMBER, 15, "__or__"},
	{FTSAN_SLOT_NUMBER, 16, "__int__"},
	{FTSAN_SLOT_NUMBER, 19, "__iadd__"},
	{FTSAN_SLOT_NUMBER, 20, "__isub__"},
	{FTSAN_SLOT_NUMBER, 21, "__imul__"},
	{FTSAN_SLOT_CALL, -1, "__call__"},
	{FTSAN_SLOT_ITERNEXT, -1, "__next__"},
	{FTSAN_SLOT_ITER, -1, "__iter__"},
	{FTSAN_SLOT_GETATTRO, -1, "__getattribute__"},
	{FTSAN_SLOT_SETATTRO, -1, "__setattr__"},
	{FTSAN_SLOT_RICHCOMPARE, -1, " comparison"},
	{FTSAN_SLOT_REPR, -1, "__repr__"},
	{FTSAN_SLOT_STR, -1, "__str__"},
	{FTSAN_SLOT_HASH, -1, "__hash__"},
	{FTSAN_SLOT_DEALLOC, -1, " deallocation"},
};

bool ftsan_type_slot(const struct ftsan_interpreter *interpreter, uintptr_t type,
		     enum ftsan_slot_word word, uintptr_t *value)
{
	return type != 0 &&
	       ftsan_safe_ptr(type + interpreter->abi->type_name + (uintptr_t)word * 8,
			      value) &&
	       *value != 0;
}

static bool runs(uintptr_t function, const uintptr_t *start, unsigned n)
{
	for (unsigned i = 0; function != 0 && i < n; i++)
		if (start[i] == function)
			return true;
	return false;
}

/* struct PyGetSetDef: name, get, set, doc, closure. */
static const char *running_attribute(const struct ftsan_interpreter *interpreter,
				     uintptr_t type, const uintptr_t *start, unsigned n,
				     uintptr_t *function)
{
	static FTSAN_TLS char text[40];
	uintptr_t at, entry[3];

	if (!ftsan_type_slot(interpreter, type, FTSAN_SLOT_GETSET, &at))
		return NULL;
	for (unsigned i = 0; i < GETSETS_MAX; i++, at += 5 * sizeof(uintptr_t)) {
		if (ftsan_safe_read(entry, (const void *)at, sizeof(entry)) != 0 ||
		    entry[0] == 0)
			return NULL;
		for (unsigned k = 1; k < 3; k++) {
			if (!runs(entry[k], start, n))
				continue;
			*function = entry[k];
			return ftsan_safe_string(text, sizeof(text), entry[0]) ? text
									       : NULL;
		}
	}
	return NULL;
}

const char *ftsan_type_slot_running(const struct ftsan_interpreter *interpreter,
				    uintptr_t type, const uintptr_t *start, unsigned n,
				    uintptr_t *function)
{
	const char *attribute;
	uintptr_t value;

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(slots); i++) {
		if (!ftsan_type_slot(interpreter, type, slots[i].word, &value))
			continue;
		if (slots[i].inner >= 0 &&
		    !ftsan_safe_ptr(value + (uintptr_t)slots[i].inner * 8, &value))
			continue;
		if (runs(value, start, n)) {
			*function = value;
			return slots[i].name;
		}
	}
	for (unsigned i = 0; type != 0 && i < BASES_MAX; i++) {
		attribute = running_attribute(interpreter, type, start, n, function);
		if (attribute != NULL)
			return attribute;
		if (!ftsan_type_slot(interpreter, type, FTSAN_SLOT_BASE, &type))
			break;
	}
	return NULL;
}
