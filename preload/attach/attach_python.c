#include "attach/attach_python.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "numpy/numpy.h"
#include "python/python.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"

/* Addresses in the extension modules that were found. */
enum { MODULES_MAX = 2048 };
static uintptr_t objects[MODULES_MAX];
static unsigned n_objects;
static unsigned n_of_slots;

/* Deeper hierarchies of array classes are left as they are. */
enum { DEPTH_MAX = 16 };

/* CPython's functions; all are in every release that ftsan knows (3.11 and later), but
 * for those that are looked up where they are used. */
static struct {
	int (*ensure)(void);
	void (*release)(int);
	void (*decref)(void *);
	void (*clear)(void);
	void *(*modules)(void);
	void *(*copy)(void *);
	void *(*item)(void *, const char *);
	int (*next)(void *, ptrdiff_t *, void **, void **);
	void *(*pointer)(void *, const char *);
	void *(*definition)(void *);
	void *(*dictionary)(void *);
	const char *(*text)(void *);
	void *(*attribute)(void *, const char *);
	void *(*call)(void *, void *);
	ptrdiff_t (*length)(void *);
	void *(*element)(void *, ptrdiff_t);
	void *(*system)(const char *);
	int (*truth)(void *);
} py;

static const struct {
	const char *name;
	void *to;
} functions[] = {
	{"PyGILState_Ensure", &py.ensure},
	{"PyGILState_Release", &py.release},
	{"Py_DecRef", &py.decref},
	{"PyErr_Clear", &py.clear},
	{"PyImport_GetModuleDict", &py.modules},
	{"PyDict_Copy", &py.copy},
	{"PyDict_GetItemString", &py.item},
	{"PyDict_Next", &py.next},
	{"PyCapsule_GetPointer", &py.pointer},
	{"PyModule_GetDef", &py.definition},
	{"PyModule_GetDict", &py.dictionary},
	{"PyUnicode_AsUTF8", &py.text},
	{"PyObject_GetAttrString", &py.attribute},
	{"PyObject_CallObject", &py.call},
	{"PySequence_Size", &py.length},
	{"PySequence_GetItem", &py.element},
	{"PySys_GetObject", &py.system},
	{"PyObject_IsTrue", &py.truth},
};

static bool look_up(void)
{
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(functions); i++) {
		void *address = ftsan_real_lookup(RTLD_DEFAULT, functions[i].name);

		if (address == NULL)
			return false;
		*(void **)functions[i].to = address;
	}
	return true;
}

static bool answer_of(const char *name)
{
	int (*ask)(void);

	*(void **)&ask = ftsan_real_lookup(RTLD_DEFAULT, name);
	return ask != NULL && ask() != 0;
}

const char *ftsan_attach_python_refusal(void)
{
	if (!look_up())
		return "this interpreter hides functions that an attach needs";
	if (!answer_of("Py_IsInitialized"))
		return "CPython has not started in it";
	/* 3.13; _Py_IsFinalizing() before. */
	if (answer_of("Py_IsFinalizing") || answer_of("_Py_IsFinalizing"))
		return "CPython is ending in it";
	return NULL;
}

const char *ftsan_attach_python_gil(void)
{
	int state = py.ensure();
	void *function = py.system("_is_gil_enabled"); /* 3.13 */
	void *answer = function != NULL ? py.call(function, NULL) : NULL;
	const char *word = NULL;

	if (answer != NULL) {
		word = py.truth(answer) ? "on" : "off";
		py.decref(answer);
	}
	py.clear();
	py.release(state);
	return word;
}

/* --- modules ------------------------------------------------------------------------ */

/* Each value of a dictionary that other threads may change meanwhile. */
static void each_value(void *dictionary, void (*visit)(void *value, void *argument),
		       void *argument)
{
	void *copy = dictionary != NULL ? py.copy(dictionary) : NULL;
	ptrdiff_t position = 0;
	void *key, *value;

	while (copy != NULL && py.next(copy, &position, &key, &value))
		visit(value, argument);
	if (copy != NULL)
		py.decref(copy);
	py.clear();
}

static bool is_interpreters(const struct ftsan_module *module)
{
	return module == ftsan_module_of((uintptr_t)ftsan_runtime_host()->py_runtime);
}

/*
 * A module that PyModExport_x() has described (PEP 793) has no definition to be asked
 * for, and its slots need not be its token: its functions stay as they are.
 */
static bool is_of_slots(void *module)
{
	void *dictionary = py.dictionary(module);
	void *file = dictionary != NULL ? py.item(dictionary, "__file__") : NULL;
	const char *path = file != NULL ? py.text(file) : NULL;
	size_t length = path != NULL ? strlen(path) : 0;

	py.clear();
	return length > 3 && strcmp(path + length - 3, ".so") == 0;
}

static void note_object(void *module, void *unused)
{
	void *definition = py.definition(module);
	const struct ftsan_module *object;

	py.clear();
	n_of_slots += definition == NULL && is_of_slots(module);
	object = definition != NULL ? ftsan_module_of((uintptr_t)definition) : NULL;
	if (object == NULL || is_interpreters(object))
		return;
	if (n_objects < MODULES_MAX)
		objects[n_objects++] = (uintptr_t)definition;
	(void)unused;
}

/* Each extension module's definition: one is found twice if it is in sys.modules twice.
 */
static void find_objects(void)
{
	n_objects = n_of_slots = 0;
	each_value(py.modules(), note_object, NULL);
}

static void visit_ufuncs(void *module, void *visit)
{
	void (**each)(void *) = visit;
	void *dictionary = py.dictionary(module);
	void *copy = dictionary != NULL ? py.copy(dictionary) : NULL;

	if (copy != NULL) {
		(*each)(copy);
		py.decref(copy);
	}
	py.clear();
}

static void each_dictionary(void (*each)(void *dictionary))
{
	each_value(py.modules(), visit_ufuncs, &each);
}

/* --- NumPy -------------------------------------------------------------------------- */

static void *table_of(void *dictionary, const char *name)
{
	void *capsule = py.item(dictionary, name);
	void *table = capsule != NULL ? py.pointer(capsule, NULL) : NULL;

	py.clear();
	return table;
}

static void *numpy_dictionary(void)
{
	static const char *const names[] = {"numpy._core._multiarray_umath",
					    "numpy.core._multiarray_umath"};
	void *module = NULL;

	for (unsigned i = 0; module == NULL && i < FTSAN_ARRAY_LEN(names); i++)
		module = py.item(py.modules(), names[i]);
	return module != NULL ? py.dictionary(module) : NULL;
}

static void walk_subclasses(void *type, void (*visit)(void *subtype), unsigned depth)
{
	void *method = py.attribute(type, "__subclasses__");
	void *list = method != NULL ? py.call(method, NULL) : NULL;
	ptrdiff_t n = list != NULL ? py.length(list) : 0;

	for (ptrdiff_t i = 0; i < n; i++) {
		void *subtype = py.element(list, i);

		if (subtype == NULL)
			continue;
		visit(subtype);
		if (depth < DEPTH_MAX)
			walk_subclasses(subtype, visit, depth + 1);
		py.decref(subtype);
	}
	if (list != NULL)
		py.decref(list);
	if (method != NULL)
		py.decref(method);
	py.clear();
}

static void each_subclass(void *type, void (*visit)(void *subtype))
{
	walk_subclasses(type, visit, 0);
}

static bool hook_numpy(void)
{
	void *dictionary = numpy_dictionary();
	void *arrays, *ufuncs;

	if (dictionary == NULL)
		return false;
	arrays = table_of(dictionary, "_ARRAY_API");
	ufuncs = table_of(dictionary, "_UFUNC_API");
	if (arrays == NULL)
		return false;
	/* The tables are static data of the module, as good as the code that made them.
	 */
	ftsan_numpy_see_arrays(arrays, (uintptr_t)arrays);
	ftsan_numpy_follow(each_subclass);
	if (ufuncs == NULL)
		return true;
	ftsan_ufunc_see_capsule(ufuncs);
	ftsan_ufunc_see_item(dictionary, "_UFUNC_API");
	each_dictionary(ftsan_ufunc_redirect_all);
	return true;
}

void ftsan_attach_python_hook(struct ftsan_attach_found *out)
{
	int state = py.ensure();

	*out = (struct ftsan_attach_found){0};
	ftsan_ops_resume();
	out->numpy = hook_numpy();
	find_objects();
	out->modules = n_objects;
	out->of_slots = n_of_slots;
	for (unsigned i = 0; i < n_objects; i++)
		ftsan_modules_hook((void *)objects[i], objects[i]);
	ftsan_attach_cython_guard(objects, n_objects, &out->caches);
	py.release(state);
}

void ftsan_attach_python_restore(void)
{
	int state = py.ensure();

	ftsan_numpy_restore(each_subclass);
	ftsan_ops_restore();
	ftsan_ufunc_forget();
	each_dictionary(ftsan_ufunc_restore_all);
	ftsan_code_history_stop();
	find_objects();
	ftsan_attach_cython_unguard(objects, n_objects);
	py.release(state);
}
