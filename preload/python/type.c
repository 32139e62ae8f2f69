#include "python/type.h"

#include "base/base.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"

struct ftsan_type_layout ftsan_type_layout;

void ftsan_type_init(void)
{
	const struct ftsan_pyabi *abi = ftsan_runtime_abi();

	ftsan_type_layout.object_size = abi->object_size;
	ftsan_type_layout.ob_type = abi->ob_type;
}

bool ftsan_type_is(uintptr_t type, const char *name)
{
	uintptr_t metatype, text;
	char found[32];

	return ftsan_safe_ptr(type + ftsan_type_layout.ob_type, &metatype) &&
	       metatype == ftsan_runtime_host()->py_type_type &&
	       ftsan_safe_ptr(type + ftsan_type_offset(FTSAN_TP_NAME), &text) &&
	       ftsan_safe_string(found, sizeof(found), text) && strcmp(found, name) == 0;
}
