#include "numpy/numpy_modules.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "numpy/numpy_methods.h"
#include "operations/operations.h"
#include "python/python.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"

/* struct PyModuleDef behind PyObject_HEAD: see module_gil.c. */
enum { AFTER_NAME = 24, AFTER_METHODS = 48 };

static void *member(const void *definition, uint32_t behind_head)
{
	void *value;

	memcpy(&value, ftsan_object_member(definition, behind_head), sizeof(value));
	return value;
}

/* 2.1 to HEAD: the module's definition does not name its package. */
static bool is_numpy(const char *name)
{
	return strcmp(name, "_multiarray_umath") == 0;
}

static bool is_cpython(uintptr_t caller)
{
	const struct ftsan_module *module = ftsan_module_of(caller);

	return module == NULL || ftsan_path_is_stdlib(module->path) ||
	       strstr(module->path, "/libpython") != NULL;
}

static void hook(const char *name, void *methods, uintptr_t caller)
{
	if (name == NULL || methods == NULL)
		return;
	if (is_numpy(name))
		ftsan_methods_hook(methods, "numpy", true);
	else if ((ftsan_latent() || ftsan_runtime_abi()->free_threaded) &&
		 !is_cpython(caller))
		ftsan_methods_hook(methods, name, false);
}

void ftsan_modules_hook(const void *definition, uintptr_t caller)
{
	/* Long before NumPy is there: its import may come later in the same module. */
	ftsan_type_init();
	if (ftsan_runtime_abi()->known)
		hook(member(definition, AFTER_NAME), member(definition, AFTER_METHODS),
		     caller);
}

void ftsan_modules_hook_slots(const char *name, const struct ftsan_modslot *slots,
			      uintptr_t caller)
{
	void *methods;

	ftsan_type_init();
	if (ftsan_runtime_abi()->known &&
	    ftsan_modslots_find(slots, FTSAN_MODSLOT_METHODS, &methods))
		hook(name, methods, caller);
}
