/*
 * The few members of PyTypeObject that are hooked, without Python.h (whose layouts
 * belong to one build). The order of the members has been the same since 3.8
 * (Include/cpython/object.h, 3.13.5); only the size of PyObject differs.
 */
#ifndef FTSAN_PRELOAD_NUMPY_TYPE_H
#define FTSAN_PRELOAD_NUMPY_TYPE_H

#include <stdbool.h>
#include <stdint.h>

/* Offsets behind PyVarObject's ob_size. */
enum ftsan_type_member {
	FTSAN_TP_NAME = 0,
	FTSAN_TP_VECTORCALL_OFFSET = 32,
	FTSAN_TP_REPR = 64,
	FTSAN_TP_AS_NUMBER = 72,
	FTSAN_TP_AS_SEQUENCE = 80,
	FTSAN_TP_AS_MAPPING = 88,
	FTSAN_TP_STR = 112,
	FTSAN_TP_AS_BUFFER = 136,
	FTSAN_TP_RICHCOMPARE = 176,
	FTSAN_TP_ITER = 192,
	FTSAN_TP_METHODS = 208,
	FTSAN_TP_GETSET = 224,
	FTSAN_TP_BASE = 232,
	FTSAN_TP_DICT = 240,
	FTSAN_TP_INIT = 272,
	FTSAN_TP_ALLOC = 280,
	FTSAN_TP_NEW = 288,
};

uint32_t ftsan_type_offset(enum ftsan_type_member member);
void *ftsan_type_get(const void *type, enum ftsan_type_member member);
/* Where the member is. */
void **ftsan_type_entry(void *type, enum ftsan_type_member member);
/* A pointer-sized store to writable memory; other threads see the old or the new. */
void ftsan_type_set(void *type, enum ftsan_type_member member, void *value);
void *ftsan_object_type(const void *object);
/* Is @type the address of a PyTypeObject of that name? It may be any number. */
bool ftsan_type_is(uintptr_t type, const char *name);

#endif
