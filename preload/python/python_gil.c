#include "python/python_gil.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "elf/elf.h"

/* The head of struct _Py_DebugOffsets (Include/internal/pycore_runtime.h), which is the
 * same in every version that has a free-threaded build. */
struct debug_offsets {
	char cookie[8];
	uint64_t version;
	uint64_t free_threaded;
};

static char *answer_getenv(const char *name)
{
	static char off[] = "0";

	return strcmp(name, "PYTHON_GIL") == 0 ? off : getenv(name);
}

bool ftsan_python_gil_keep_off(const void *py_runtime)
{
	const char *asked = getenv("PYTHON_GIL");
	struct debug_offsets offsets;
	struct ftsan_got_hook hook = {
		.name = "getenv",
		.original = (uintptr_t)getenv,
		.replacement = (uintptr_t)answer_getenv,
	};

	if (ftsan_safe_read(&offsets, py_runtime, sizeof(offsets)) != 0 ||
	    memcmp(offsets.cookie, "xdebugpy", sizeof(offsets.cookie)) != 0 ||
	    !offsets.free_threaded)
		return false;
	if (asked)
		return strcmp(asked, "0") == 0;
	ftsan_got_redirect(py_runtime, &hook);
	return true;
}
