/* The wrappers of CPython's functions: guard, tell the adapters, call the original. */
#include <string.h>

#include "attach/attach.h"
#include "pages/guard.h"
#include "cython/hook_cython.h"
#include "python/hook_frames.h"
#include "numpy/hook_numpy.h"
#include "python/module_gil.h"
#include "python/module_life.h"
#include "numpy/numpy_modules.h"
#include "numpy/numpy_ufunc.h"
#include "threads/workers.h"
#include "elf/real.h"

/* --- memory ---------------------------------------------------------------------- */

static void free_guarded(void *block)
{
	ftsan_guard_free(block);
	ftsan_attach_freed();
}

void ftsan_hook_PyMem_RawFree(void *block)
{
	/* Whoever frees it, and whoever's free it is: a buffer of ours comes back here.
	 */
	if (ftsan_guard_owns(block))
		free_guarded(block);
	else
		ftsan_real.PyMem_RawFree(block);
}

void ftsan_hook_PyMem_Free(void *block)
{
	if (ftsan_guard_owns(block))
		free_guarded(block);
	else
		ftsan_real.PyMem_Free(block);
}

/* move() - realloc of a guarded block to one that @allocate made; NULL: nothing changed.
 */
static void *move(void *block, size_t size, void *to)
{
	size_t old = ftsan_guard_size(block);

	if (to == NULL)
		return NULL;
	ftsan_guard_copy(to, block, old < size ? old : size);
	ftsan_guard_free_moved(block);
	ftsan_attach_freed();
	return to;
}

void *ftsan_hook_PyMem_RawRealloc(void *block, size_t size)
{
	uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	void *to;

	if (!ftsan_guard_owns(block))
		return ftsan_real.PyMem_RawRealloc(block, size);
	to = ftsan_guard_realloc(block, size, caller);
	return move(block, size, to != NULL ? to : ftsan_real.PyMem_RawMalloc(size));
}

void *ftsan_hook_PyMem_Malloc(size_t size)
{
	void *guarded = ftsan_cython_alloc(size, (uintptr_t)__builtin_return_address(0));

	return guarded != NULL ? guarded : ftsan_real.PyMem_Malloc(size);
}

void *ftsan_hook_PyMem_Realloc(void *block, size_t size)
{
	uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	void *to;

	if (!ftsan_guard_owns(block)) {
		to = block != NULL ? ftsan_cython_take_over(block, size, caller) : NULL;
		if (to == NULL)
			return ftsan_real.PyMem_Realloc(block, size);
		ftsan_real.PyMem_Free(block);
		return to;
	}
	to = ftsan_cython_realloc(block, size, caller);
	if (to != NULL)
		return to;
	return move(block, size, ftsan_real.PyMem_Malloc(size));
}

/* --- NumPy, modules --------------------------------------------------------------- */

static void see_capsule(void *pointer, uintptr_t caller)
{
	ftsan_numpy_see_capsule(pointer, caller);
	ftsan_ufunc_see_capsule(pointer);
}

void *ftsan_hook_PyCapsule_New(void *pointer, const char *name,
			       void (*destructor)(void *))
{
	if (name == NULL)
		see_capsule(pointer, (uintptr_t)__builtin_return_address(0));
	return ftsan_real.PyCapsule_New(pointer, name, destructor);
}

int ftsan_hook_PyDict_SetItemString(void *dictionary, const char *key, void *value)
{
	int result = ftsan_real.PyDict_SetItemString(dictionary, key, value);

	ftsan_ufunc_see_item(dictionary, key);
	return result;
}

void *ftsan_hook_PyModuleDef_Init(void *definition)
{
	ftsan_module_defined(definition);
	ftsan_modules_hook(definition, (uintptr_t)__builtin_return_address(0));
	ftsan_module_life_defined(definition, ftsan_module_slots(definition));
	return ftsan_real.PyModuleDef_Init(definition);
}

void *ftsan_hook_PyModule_Create2(void *definition, int api_version)
{
	ftsan_module_created(definition);
	ftsan_modules_hook(definition, (uintptr_t)__builtin_return_address(0));
	return ftsan_real.PyModule_Create2(definition, api_version);
}

/* A module of slots alone calls neither of these: the interpreter does it all. */
static void see_exported(const struct ftsan_module_stage *stage)
{
	if (stage->slots == NULL)
		return;
	ftsan_module_exported(stage->name, stage->slots);
	ftsan_modules_hook_slots(stage->name, stage->slots, stage->object);
}

static const struct ftsan_module_listener exported = {.end = see_exported};
FTSAN_MODULE_LISTENER(exported);

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
	ftsan_cython_filled();
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
	if (!ftsan_frames_absorb(object))
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
