#include "base/base.h"
#include "stacks/pyabi.h"

/* What struct _gil_runtime_state.enabled is when the GIL is on for good; between 0 and
 * that are the threads that have it on while they import (Python/ceval_gil.c, 3.13 to
 * 3.15). */
#define FOR_GOOD 0x7fffffff
/* Interpreters of one process; more are no list. */
enum { INTERPRETERS_MAX = 4096 };

/* The first interpreter is the last of the list. */
static uintptr_t live_main(const struct ftsan_pyabi *abi)
{
	uintptr_t at, next;

	if (!ftsan_safe_ptr(abi->runtime + abi->runtime_interpreters, &at))
		return 0;
	for (unsigned i = 0; at != 0 && i < INTERPRETERS_MAX; i++) {
		if (!ftsan_safe_ptr(at + abi->interpreter_next, &next))
			return 0;
		if (next == 0)
			return at;
		at = next;
	}
	return 0;
}

enum ftsan_pygil ftsan_pygil_state(const struct ftsan_pyabi *abi, bool ended)
{
	uintptr_t interpreter;
	int32_t enabled;

	if (abi->version != 0 && !abi->free_threaded)
		return FTSAN_PYGIL_ON;
	if (!abi->known || abi->runtime == 0)
		return FTSAN_PYGIL_UNKNOWN;
	interpreter = live_main(abi);
	if (interpreter == 0 && ended)
		interpreter = abi->runtime + abi->runtime_main;
	if (interpreter == 0 ||
	    !ftsan_safe_i32(interpreter + abi->interpreter_gil, &enabled))
		return FTSAN_PYGIL_UNKNOWN;
	return enabled == FOR_GOOD ? FTSAN_PYGIL_ON : FTSAN_PYGIL_OFF;
}
