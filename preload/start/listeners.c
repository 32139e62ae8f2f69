#include "start/listeners.h"

#include <stddef.h>

#include "cython/cython.h"
#include "locks/python_locks.h"
#include "numpy/numpy.h"
#include "python/python.h"
#include "statics/statics_seal.h"

static const struct ftsan_listener *const of_python[] = {
	&ftsan_cython_listener,
	&ftsan_numpy_listener,
	NULL,
};

static const struct ftsan_module_listener *const of_modules[] = {
	&ftsan_freed_listener,
	&ftsan_numpy_module_listener,
	&ftsan_python_module_listener,
	&ftsan_statics_module_listener,
	NULL,
};

static const struct ftsan_loader_listener *const of_loader[] = {
	&ftsan_locks_loader_listener,
	&ftsan_statics_kernel_listener,
	&ftsan_statics_unload_listener,
	NULL,
};

const struct ftsan_loader_listener *const *ftsan_start_listeners(void)
{
	ftsan_listen(of_python);
	ftsan_module_life_listen(of_modules);
	return of_loader;
}
