/*
 * The few members of PyTypeObject that are hooked, without Python.h (whose layouts
 * belong to one build). The order of the members has been the same since 3.8
 * (Include/cpython/object.h, 3.13.5); only the size of PyObject differs.
 *
 * Inline, because every call of an operation looks at the types of its arguments.
 */
#ifndef FTSAN_PRELOAD_TYPE_H
#define FTSAN_PRELOAD_TYPE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"

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

/*
 * Of the running interpreter; set by ftsan_type_init(), which whoever hooks something
 * calls first. @object_size: sizeof(PyObject); @ob_type: offset of the type in it.
 */
struct ftsan_type_layout {
	uint32_t object_size;
	uint32_t ob_type;
};
extern FTSAN_HIDDEN struct ftsan_type_layout ftsan_type_layout;

void ftsan_type_init(void);

static inline uint32_t ftsan_type_offset(enum ftsan_type_member member)
{
	/* PyVarObject: the object header and ob_size. */
	return ftsan_type_layout.object_size + 8 + (uint32_t)member;
}

/* Where the member is. */
static inline void **ftsan_type_entry(void *type, enum ftsan_type_member member)
{
	return (void **)((char *)type + ftsan_type_offset(member));
}

static inline void *ftsan_type_get(const void *type, enum ftsan_type_member member)
{
	void *value;

	memcpy(&value, (const char *)type + ftsan_type_offset(member), sizeof(value));
	return value;
}

/* A pointer-sized store to writable memory; other threads see the old or the new. */
static inline void ftsan_type_set(void *type, enum ftsan_type_member member, void *value)
{
	__atomic_store_n(ftsan_type_entry(type, member), value, __ATOMIC_RELEASE);
}

static inline void *ftsan_object_type(const void *object)
{
	void *type;

	memcpy(&type, (const char *)object + ftsan_type_layout.ob_type, sizeof(type));
	return type;
}

/* Where the members behind PyObject_HEAD begin. */
static inline void *ftsan_object_member(const void *object, uint32_t behind_head)
{
	return (char *)(uintptr_t)object + ftsan_type_layout.object_size + behind_head;
}

/* Is @type the address of a PyTypeObject of that name? It may be any number. */
bool ftsan_type_is(uintptr_t type, const char *name);

#endif
