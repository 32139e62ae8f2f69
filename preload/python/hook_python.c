/* The wrappers of CPython's functions: tell the adapters, call the original. */
#include <stddef.h>
#include <stdint.h>

#include "freed/freed.h"
#include "hooks/hooks.h"
#include "python/hook_frames.h"
#include "python/hook_python.h"
#include "python/listen.h"
#include "python/module_gil.h"
#include "python/module_life.h"
#include "threads/threads.h"

/* --- modules, and what they store -------------------------------------------------- */

void *ftsan_hook_PyCapsule_New(void *pointer, const char *name,
			       void (*destructor)(void *))
{
	if (name == NULL)
		ftsan_tell_capsule(pointer, (uintptr_t)__builtin_return_address(0));
	return ftsan_real.PyCapsule_New(pointer, name, destructor);
}

int ftsan_hook_PyDict_SetItemString(void *dictionary, const char *key, void *value)
{
	int result = ftsan_real.PyDict_SetItemString(dictionary, key, value);

	ftsan_tell_item(dictionary, key);
	return result;
}

void *ftsan_hook_PyModuleDef_Init(void *definition)
{
	ftsan_module_defined(definition);
	ftsan_tell_module(definition, (uintptr_t)__builtin_return_address(0));
	ftsan_module_life_defined(definition, ftsan_module_slots(definition));
	return ftsan_real.PyModuleDef_Init(definition);
}

void *ftsan_hook_PyModule_Create2(void *definition, int api_version)
{
	ftsan_module_created(definition);
	ftsan_tell_module(definition, (uintptr_t)__builtin_return_address(0));
	return ftsan_real.PyModule_Create2(definition, api_version);
}

/* A module of slots alone calls neither of these: the interpreter does it all. */
static void see_exported(const struct ftsan_module_stage *stage)
{
	if (stage->slots != NULL)
		ftsan_module_exported(stage->name, stage->slots);
}

const struct ftsan_module_listener ftsan_python_module_listener = {.end = see_exported};

int ftsan_hook_PyUnstable_Module_SetGIL(void *module, void *gil)
{
	ftsan_module_declares_gil(gil);
	return ftsan_real.PyUnstable_Module_SetGIL(module, gil);
}

/* --- frames and code objects ------------------------------------------------------ */

void *ftsan_hook_PyFrame_New(void *tstate, void *code, void *globals, void *locals)
{
	/* A thread that raises exceptions counts as well: Cython's caches are its
	 * business. */
	(void)ftsan_worker_begin();
	ftsan_tell_frame();
	if (ftsan_frames_refuse(tstate, code, globals))
		return NULL;
	return ftsan_real.PyFrame_New(tstate, code, globals, locals);
}

void *ftsan_hook_PyCode_NewEmpty(const char *file, const char *function, int line)
{
	void *code = ftsan_real.PyCode_NewEmpty(file, function, line);

	/* Before the caller puts it into a cache that another thread may be at. */
	(void)ftsan_worker_begin();
	ftsan_frames_created(code, (uintptr_t)__builtin_return_address(0));
	return code;
}

int ftsan_hook_PyTraceBack_Here(void *frame)
{
	ftsan_frames_traceback();
	return ftsan_real.PyTraceBack_Here(frame);
}

/* Where an inlined Py_DECREF ends: a refused code object's header is not touched. */

void ftsan_hook__Py_DecRefShared(void *object)
{
	if (!ftsan_frames_absorb(object) && !ftsan_freed_given_back((uintptr_t)object))
		ftsan_real._Py_DecRefShared(object);
}

void ftsan_hook__Py_MergeZeroLocalRefcount(void *object)
{
	if (!ftsan_frames_absorb(object))
		ftsan_real._Py_MergeZeroLocalRefcount(object);
}

void ftsan_hook__Py_Dealloc(void *object)
{
	if (!ftsan_frames_absorb(object))
		ftsan_real._Py_Dealloc(object);
}
