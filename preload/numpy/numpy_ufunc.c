#include "numpy/numpy_ufunc.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "numpy/numpy_methods.h"
#include "numpy/numpy_ops.h"
#include "numpy/numpy_slots.h"
#include "numpy/numpy_ufunc_call.h"
#include "operations/operations.h"
#include "python/python.h"

/*
 * Slots of the ufunc API table (numpy/_core/code_generators/numpy_api.py, 2.0 to HEAD):
 * the type, and the functions PyUFunc_FromFuncAndData, ...AndSignature and
 * ...AndSignatureAndIdentity.
 */
enum { API_TYPE = 0, API_SLOTS = 43 };
static const unsigned api_constructors[] = {1, 31, 42};

/* Set while NumPy is being imported, by one thread; before any ufunc is redirected. */
static _Atomic bool taken;
static bool seen; /* NumPy's own ufuncs are redirected */

static void *item(void *dictionary, const char *key)
{
	void *(*get)(void *, const char *);

	*(void **)&get = ftsan_real_lookup(RTLD_DEFAULT, "PyDict_GetItemString");
	return get == NULL ? NULL : get(dictionary, key);
}

static void each_value(void *dictionary, void (*visit)(void *object))
{
	int (*next)(void *, ptrdiff_t *, void **, void **);
	ptrdiff_t position = 0;
	void *key, *value;

	*(void **)&next = ftsan_real_lookup(RTLD_DEFAULT, "PyDict_Next");
	while (next != NULL && next(dictionary, &position, &key, &value))
		visit(value);
}

void ftsan_ufunc_redirect_all(void *dictionary)
{
	each_value(dictionary, ftsan_ufunc_made);
}

void ftsan_ufunc_restore_all(void *dictionary)
{
	each_value(dictionary, ftsan_ufunc_unmade);
}

void ftsan_ufunc_forget(void)
{
	ftsan_ufunc_rest();
	seen = false;
	atomic_store_explicit(&taken, false, memory_order_release);
}

void ftsan_ufunc_see_item(void *dictionary, const char *key)
{
	void *add, *nditer;

	if (seen || strcmp(key, "_UFUNC_API") != 0)
		return;
	add = item(dictionary, "add");
	nditer = item(dictionary, "nditer");
	if (!ftsan_is_ufunc(add))
		return;
	ftsan_ufunc_learn_layout(add);
	seen = true;
	ftsan_ufunc_redirect_all(dictionary);
	/* Of the types that take arrays, this one is in no API table. */
	if (nditer != NULL && ftsan_type_is((uintptr_t)nditer, "numpy.nditer"))
		ftsan_slots_hook_constructor(nditer, FTSAN_TP_INIT, "nditer");
}

static void hook_constructors(void **api)
{
	static const struct ftsan_op op = {
		.operation = {.owner = "", .name = "PyUFunc_FromFuncAndData"},
		.args = {.convention = FTSAN_ARGS_OBJECTS},
		.wide = true,
		.optional = true,
		.made = ftsan_ufunc_made,
	};

	if (!ftsan_writable(api, API_SLOTS * sizeof(*api)))
		return;
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(api_constructors); i++)
		ftsan_ops_hook(&api[api_constructors[i]], &op);
}

void ftsan_ufunc_see_capsule(void *table)
{
	uintptr_t type;

	if (!ftsan_safe_ptr((uintptr_t)table + API_TYPE * sizeof(void *), &type) ||
	    !ftsan_type_is(type, "numpy.ufunc") ||
	    ftsan_type_get((void *)type, FTSAN_TP_VECTORCALL_OFFSET) == NULL ||
	    atomic_exchange_explicit(&taken, true, memory_order_acq_rel))
		return;
	ftsan_ufunc_set_type((void *)type);
	ftsan_methods_hook(ftsan_type_get((void *)type, FTSAN_TP_METHODS), "ufunc", true);
	hook_constructors(table);
}
