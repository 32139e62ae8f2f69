#include "numpy/hook_numpy.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "numpy/numpy_alloc.h"
#include "numpy/numpy_api.h"
#include "numpy/numpy_args.h"
#include "numpy/numpy_methods.h"
#include "numpy/numpy_modules.h"
#include "numpy/numpy_slots.h"
#include "numpy/numpy_ufunc.h"
#include "operations/operations.h"
#include "python/python.h"
#include "stacks/stacks.h"

/* Slots of PyArray_Type, PyArrayIter_Type and PyArrayMultiIter_Type in the API table
 * (numpy/_core/code_generators/numpy_api.py). */
enum {
	API_ARRAY_TYPE = 2,
	API_ITERATOR_TYPE = 5,
	API_BROADCAST_TYPE = 6,
	API_SLOTS_READ = 7,
};

static void *array_type, *iterator_type, *broadcast_type; /* set once */
static _Atomic bool taken; /* somebody hooks the type: once, and one thread */

/* What NumPy's own types do with arrays. */
static void hook_operations(void **table, const uintptr_t *api)
{
	void *array = (void *)api[API_ARRAY_TYPE];
	void *iterator = (void *)api[API_ITERATOR_TYPE];
	void *broadcast = (void *)api[API_BROADCAST_TYPE];

	ftsan_methods_hook_type(array, "ndarray");
	ftsan_slots_hook_array(array);
	if (!ftsan_latent() || iterator == NULL || broadcast == NULL)
		return;
	ftsan_api_hook(table);
	ftsan_methods_hook_type(iterator, "flatiter");
	ftsan_slots_hook_iterator(iterator);
	ftsan_slots_hook_constructor(broadcast, FTSAN_TP_NEW, "broadcast");
}

static void follow(void *type)
{
	ftsan_slots_follow(array_type, type);
}

void ftsan_numpy_follow(ftsan_each_subclass each)
{
	if (ftsan_numpy_alloc_ready())
		each(array_type, follow);
}

static void restore_type(void *type)
{
	ftsan_numpy_alloc_restore(type);
	ftsan_slots_restore(type);
}

void ftsan_numpy_restore(ftsan_each_subclass each)
{
	void *const others[] = {iterator_type, broadcast_type};

	if (!ftsan_numpy_alloc_stop())
		return;
	restore_type(array_type);
	each(array_type, restore_type);
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(others); i++)
		if (others[i] != NULL)
			ftsan_slots_restore(others[i]);
	atomic_store_explicit(&taken, false, memory_order_release);
}

void ftsan_numpy_see_arrays(void *table, uintptr_t caller)
{
	const struct ftsan_module *module;
	uintptr_t api[API_SLOTS_READ];
	void *type;

	ftsan_type_init();
	/* Other capsules without a name come first, so nothing is taken on faith. */
	if (ftsan_numpy_alloc_ready() || ftsan_safe_read(api, table, sizeof(api)) != 0 ||
	    !ftsan_type_is(api[API_ARRAY_TYPE], "numpy.ndarray"))
		return;
	module = ftsan_module_of(caller);
	if (module == NULL)
		return;
	type = (void *)api[API_ARRAY_TYPE];
	if (ftsan_type_get(type, FTSAN_TP_ALLOC) == NULL ||
	    atomic_exchange_explicit(&taken, true, memory_order_acq_rel))
		return;
	array_type = type;
	iterator_type = (void *)api[API_ITERATOR_TYPE];
	broadcast_type = (void *)api[API_BROADCAST_TYPE];
	ftsan_args_init(type, (void *)api[API_ITERATOR_TYPE]);
	ftsan_numpy_alloc_start(type, module->begin, module->end - module->begin);
	hook_operations(table, api);
}

static void see_capsule(void *pointer, uintptr_t caller)
{
	ftsan_numpy_see_arrays(pointer, caller);
	ftsan_ufunc_see_capsule(pointer);
}

const struct ftsan_listener ftsan_numpy_listener = {
	.capsule = see_capsule,
	.item = ftsan_ufunc_see_item,
	.module = ftsan_modules_hook,
};

static void see_exported(const struct ftsan_module_stage *stage)
{
	if (stage->slots != NULL)
		ftsan_modules_hook_slots(stage->name, stage->slots, stage->object);
}

const struct ftsan_module_listener ftsan_numpy_module_listener = {.end = see_exported};
