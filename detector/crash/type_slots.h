/* Slots and tables of a Python type, read with the layout that all versions share. */
#ifndef FTSAN_TYPE_SLOTS_H
#define FTSAN_TYPE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "crash/interpreter.h"

/* Words of struct _typeobject from tp_name on (Include/cpython/object.h, 3.11 to 3.15).
 */
enum ftsan_slot_word {
	FTSAN_SLOT_NAME = 0,
	FTSAN_SLOT_BASICSIZE = 1,
	FTSAN_SLOT_DEALLOC = 3,
	FTSAN_SLOT_VECTORCALL_OFFSET = 4,
	FTSAN_SLOT_REPR = 8,
	FTSAN_SLOT_NUMBER = 9,
	FTSAN_SLOT_SEQUENCE = 10,
	FTSAN_SLOT_MAPPING = 11,
	FTSAN_SLOT_HASH = 12,
	FTSAN_SLOT_CALL = 13,
	FTSAN_SLOT_STR = 14,
	FTSAN_SLOT_GETATTRO = 15,
	FTSAN_SLOT_SETATTRO = 16,
	FTSAN_SLOT_RICHCOMPARE = 22,
	FTSAN_SLOT_ITER = 24,
	FTSAN_SLOT_ITERNEXT = 25,
	FTSAN_SLOT_GETSET = 28,
	FTSAN_SLOT_BASE = 29,
	FTSAN_SLOT_INIT = 34,
	FTSAN_SLOT_NEW = 36,
};

bool ftsan_type_slot(const struct ftsan_interpreter *interpreter, uintptr_t type,
		     enum ftsan_slot_word word, uintptr_t *value);

/**
 * ftsan_type_slot_running() - which of the type's slots is one of these functions?
 * @start, @n: functions that run
 * @function:  gets the one
 *
 * Context: async-signal-safe. Return: "__setitem__" or so, an attribute's name (in a
 * buffer of the thread's that the next call overwrites); NULL: none.
 */
const char *ftsan_type_slot_running(const struct ftsan_interpreter *interpreter,
				    uintptr_t type, const uintptr_t *start, unsigned n,
				    uintptr_t *function);

#endif
