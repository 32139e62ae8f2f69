#include "numpy/numpy_ufunc.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/annot.h"
#include "base/safe_read.h"
#include "numpy/numpy_args.h"
#include "numpy/numpy_methods.h"
#include "numpy/numpy_ops.h"
#include "numpy/numpy_slots.h"
#include "numpy/numpy_type.h"
#include "operations/operation.h"
#include "threads/workers.h"
#include "elf/real.h"
#include "elf/writable.h"

/*
 * Slots of the ufunc API table (numpy/_core/code_generators/numpy_api.py, 2.0 to HEAD):
 * the type, and the functions PyUFunc_FromFuncAndData, ...AndSignature and
 * ...AndSignatureAndIdentity.
 */
enum { API_TYPE = 0, API_SLOTS = 43 };
static const unsigned api_constructors[] = {1, 31, 42};

/* PyUFuncObject behind PyObject_HEAD: nin, nout, nargs, identity, functions, data,
 * ntypes, _ufunc_flags, name (numpy/_core/include/numpy/ufuncobject.h, 2.0 to HEAD). */
enum { UFUNC_NIN = 0, UFUNC_NOUT = 4, UFUNC_NAME = 40 };

/* PY_VECTORCALL_ARGUMENTS_OFFSET (Include/cpython/abstract.h, 3.13). */
#define VECTORCALL_OFFSET_FLAG (1ull << 63)

typedef void *(*vectorcall)(void *callable, void *const *args, size_t n, void *names);

static const struct ftsan_operation calling = {.owner = "ufunc", .name = "__call__"};

/* Set while NumPy is being imported, by one thread; before any ufunc is redirected. */
static void *ufunc_type;
static vectorcall original;
static bool layout_known;
static _Atomic bool taken;
static bool seen;	     /* NumPy's own ufuncs are redirected */
static _Atomic bool resting; /* between a detach and the next attach */

static int32_t number_of(const void *ufunc, uint32_t behind_head)
{
	int32_t value;

	memcpy(&value, ftsan_object_member(ufunc, behind_head), sizeof(value));
	return value;
}

/* A bit for each argument behind @n inputs. */
static uint64_t behind(int32_t n)
{
	return n >= 0 && n < 64 ? ~0ull << n : 0;
}

static void add_arrays(struct ftsan_operation_frame *frame, void *ufunc,
		       void *const *args, size_t n, void *names)
{
	uint64_t outputs = 0;

	if (FTSAN_LIKELY(layout_known)) {
		memcpy(&frame->name, ftsan_object_member(ufunc, UFUNC_NAME),
		       sizeof(frame->name));
		outputs = behind(number_of(ufunc, UFUNC_NIN));
	}
	ftsan_args_add_vector(frame, args, n & ~VECTORCALL_OFFSET_FLAG, outputs, names);
	ftsan_operation_watch(frame);
}

static void *call(void *ufunc, void *const *args, size_t n, void *names)
{
	struct ftsan_operation_call it;
	struct ftsan_operation_frame *frame;
	void *result;

	/* At rest: one that no detach has found. */
	if (FTSAN_UNLIKELY(atomic_load_explicit(&resting, memory_order_relaxed)) ||
	    !ftsan_worker_begin())
		return original(ufunc, args, n, names);
	frame = ftsan_operation_begin(&it, &calling,
				      (uintptr_t)__builtin_return_address(0));
	if (FTSAN_LIKELY(frame != NULL))
		add_arrays(frame, ufunc, args, n, names);
	result = original(ufunc, args, n, names);
	ftsan_operation_end(&it);
	return result;
}

/* Where a ufunc's address is; NULL when the object is none. */
static vectorcall *entry_of(void *object)
{
	if (object == NULL || ufunc_type == NULL ||
	    ftsan_object_type(object) != ufunc_type)
		return NULL;
	return (vectorcall *)((char *)object +
			      (size_t)ftsan_type_get(ufunc_type,
						     FTSAN_TP_VECTORCALL_OFFSET));
}

void ftsan_ufunc_made(void *object)
{
	vectorcall *entry;

	entry = entry_of(object);
	if (entry == NULL || atomic_load_explicit(&resting, memory_order_relaxed))
		return;
	if (original == NULL)
		original = *entry;
	if (*entry == original)
		__atomic_store_n(entry, call, __ATOMIC_RELEASE);
}

/* Does np.add have the members where they are looked for? */
static bool is_add(void *ufunc)
{
	char name[8];
	uintptr_t text;

	memcpy(&text, ftsan_object_member(ufunc, UFUNC_NAME), sizeof(text));
	return number_of(ufunc, UFUNC_NIN) == 2 && number_of(ufunc, UFUNC_NOUT) == 1 &&
	       ftsan_safe_string(name, sizeof(name), text) && strcmp(name, "add") == 0;
}

static void *item(void *dictionary, const char *key)
{
	void *(*get)(void *, const char *);

	*(void **)&get = ftsan_real_lookup(RTLD_DEFAULT, "PyDict_GetItemString");
	return get == NULL ? NULL : get(dictionary, key);
}

static void restore(void *object)
{
	vectorcall *entry = entry_of(object);

	if (entry != NULL && *entry == call)
		__atomic_store_n(entry, original, __ATOMIC_RELEASE);
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
	each_value(dictionary, restore);
}

void ftsan_ufunc_forget(void)
{
	atomic_store(&resting, true);
	seen = false;
	atomic_store_explicit(&taken, false, memory_order_release);
}

void ftsan_ufunc_see_item(void *dictionary, const char *key)
{
	void *add, *nditer;

	if (ufunc_type == NULL || seen || strcmp(key, "_UFUNC_API") != 0)
		return;
	add = item(dictionary, "add");
	nditer = item(dictionary, "nditer");
	if (add == NULL || ftsan_object_type(add) != ufunc_type)
		return;
	layout_known = is_add(add);
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
	ufunc_type = (void *)type;
	atomic_store(&resting, false);
	ftsan_methods_hook(ftsan_type_get(ufunc_type, FTSAN_TP_METHODS), "ufunc", true);
	hook_constructors(table);
}
