/* The interpreter's objects, as far as their types and names go. */
#ifndef FTSAN_CRASH_INTERPRETER_H
#define FTSAN_CRASH_INTERPRETER_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

/**
 * struct ftsan_interpreter - what has to be known of the interpreter
 * @abi:       its layouts
 * @code_type, @type_type: addresses of PyCode_Type and PyType_Type
 * @own_begin, @own_end: text of libftsan, which stands in for some functions
 */
struct ftsan_interpreter {
	const struct ftsan_pyabi *abi;
	uintptr_t code_type, type_type;
	uintptr_t own_begin, own_end;
};

/* The type of what may be an object, 0: it is none. Async-signal-safe. */
uintptr_t ftsan_object_type(const struct ftsan_interpreter *interpreter,
			    uintptr_t object);
/* Its name without the module's; false when it can't be read. Async-signal-safe. */
bool ftsan_type_name(const struct ftsan_interpreter *interpreter, uintptr_t type,
		     char *to, uint32_t capacity_bytes);

#endif
