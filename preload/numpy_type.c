#include "numpy_type.h"

#include <string.h>

#include "base/safe_read.h"
#include "pyabi.h"
#include "runtime.h"

uint32_t ftsan_type_offset(enum ftsan_type_member member)
{
	/* PyVarObject: the object header and ob_size. */
	return ftsan_runtime_abi()->object_size + 8 + (uint32_t)member;
}

void *ftsan_type_get(const void *type, enum ftsan_type_member member)
{
	void *value;

	memcpy(&value, (const char *)type + ftsan_type_offset(member), sizeof(value));
	return value;
}

void **ftsan_type_entry(void *type, enum ftsan_type_member member)
{
	return (void **)((char *)type + ftsan_type_offset(member));
}

void ftsan_type_set(void *type, enum ftsan_type_member member, void *value)
{
	__atomic_store_n(ftsan_type_entry(type, member), value, __ATOMIC_RELEASE);
}

void *ftsan_object_type(const void *object)
{
	void *type;

	memcpy(&type, (const char *)object + ftsan_runtime_abi()->ob_type, sizeof(type));
	return type;
}

bool ftsan_type_is(uintptr_t type, const char *name)
{
	uintptr_t metatype, text;
	char found[32];

	return ftsan_safe_ptr(type + ftsan_runtime_abi()->ob_type, &metatype) &&
	       metatype == ftsan_runtime_host()->py_type_type &&
	       ftsan_safe_ptr(type + ftsan_type_offset(FTSAN_TP_NAME), &text) &&
	       ftsan_safe_string(found, sizeof(found), text) && strcmp(found, name) == 0;
}
