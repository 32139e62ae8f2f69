/*
 * When a module's own code runs for the first time: the function that the interpreter
 * looks up (PyInit_x, or PyModExport_x of 3.15), and the slots that create and execute
 * it. Here is the one place that knows when this begins and ends; whoever else has to
 * know listens.
 *
 * The interpreter looks the first one up with dlsym, whose slot in the interpreter's own
 * import table leads here; what it gets calls the original in between two notices. The
 * slots are replaced in a copy of the array that names them.
 *
 * Not seen: modules that are part of the interpreter, or were imported before an attach.
 */
#ifndef FTSAN_PRELOAD_MODULE_LIFE_H
#define FTSAN_PRELOAD_MODULE_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "python/module_slots.h"

enum ftsan_stage_kind { FTSAN_STAGE_INIT, FTSAN_STAGE_CREATE, FTSAN_STAGE_EXEC };

/**
 * struct ftsan_module_stage - a piece of a module's own initialisation, under way
 * @kind:    INIT: PyInit_x or PyModExport_x; CREATE and EXEC: slots, which follow it
 * @name:    as in PyInit_<name>: without the packages; kept for good
 * @object:  an address in the module's own file; ftsan_module_of() finds that
 * @last:    at its end: nothing of the module's initialisation follows, unless it
 *           failed. A module that is imported again (after a failure, or by another
 *           interpreter) has stages again
 * @failed:  at its end: an exception is set
 * @slots:   at the end of an INIT: what PyModExport_x() returned; NULL otherwise
 * @outer:   the stage that this thread was in when this one began (an import by a
 *           module's code), or NULL
 */
struct ftsan_module_stage {
	enum ftsan_stage_kind kind;
	const char *name;
	uintptr_t object;
	bool last;
	bool failed;
	const struct ftsan_modslot *slots;
	const struct ftsan_module_stage *outer;
};

/* Both are called by the thread that imports, attached, in normal context; either may be
 * NULL. */
struct ftsan_module_listener {
	void (*begin)(const struct ftsan_module_stage *stage);
	void (*end)(const struct ftsan_module_stage *stage);
};

/* Who listens from now on: @all ends with NULL; borrowed for good. Context: start-up,
 * before ftsan_module_life_start(). */
void ftsan_module_life_listen(const struct ftsan_module_listener *const *all);

/* The stage that the calling thread is in, NULL: none. Async-signal-safe. */
const struct ftsan_module_stage *ftsan_module_stage(void);

/**
 * ftsan_module_life_start() - from now on imports are seen
 * @py_runtime: address of _PyRuntime
 *
 * Context: activation, or an attach; ftsan_module_life_stop() at a detach. Modules keep
 * what they were given; it calls the originals and nothing else then.
 */
void ftsan_module_life_start(const void *py_runtime);
void ftsan_module_life_stop(const void *py_runtime);

/* PyModuleDef_Init() is about to be called: what @slots (m_slots) leads to is replaced.
 */
void ftsan_module_life_defined(const void *definition, struct ftsan_modslot **slots);

#endif
