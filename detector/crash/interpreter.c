#include "crash/interpreter.h"

#include <string.h>

#include "base/base.h"

uintptr_t ftsan_object_type(const struct ftsan_interpreter *of, uintptr_t object)
{
	uintptr_t type, meta, above;

	/* A type is an object whose type's type is `type`: metaclasses are no deeper. */
	if (object == 0 || object % 8 != 0 ||
	    !ftsan_safe_ptr(object + of->abi->ob_type, &type) || type == 0 ||
	    type % 8 != 0 || !ftsan_safe_ptr(type + of->abi->ob_type, &meta))
		return 0;
	if (meta == of->type_type)
		return type;
	return meta != 0 && ftsan_safe_ptr(meta + of->abi->ob_type, &above) &&
			       above == of->type_type
		       ? type
		       : 0;
}

bool ftsan_type_name(const struct ftsan_interpreter *of, uintptr_t type, char *to,
		     uint32_t capacity)
{
	char full[160];
	uintptr_t name;
	const char *dot;

	to[0] = '\0';
	if (type == 0 || !ftsan_safe_ptr(type + of->abi->type_name, &name) ||
	    !ftsan_safe_string(full, sizeof(full), name))
		return false;
	dot = strrchr(full, '.');
	dot = dot != NULL ? dot + 1 : full;
	for (uint32_t i = 0; i + 1 < capacity; i++) {
		to[i] = dot[i];
		if (dot[i] == '\0')
			break;
	}
	to[capacity - 1] = '\0';
	return to[0] != '\0';
}
