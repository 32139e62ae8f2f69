#include "numpy/numpy_ufunc_call.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "numpy/numpy_args.h"
#include "operations/operations.h"
#include "python/python.h"
#include "threads/threads.h"

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

bool ftsan_is_ufunc(const void *object)
{
	return object != NULL && ufunc_type != NULL &&
	       ftsan_object_type(object) == ufunc_type;
}

/* Where a ufunc's address is; NULL when the object is none. */
static vectorcall *entry_of(void *object)
{
	if (!ftsan_is_ufunc(object))
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

void ftsan_ufunc_learn_layout(void *add)
{
	layout_known = is_add(add);
}

void ftsan_ufunc_unmade(void *object)
{
	vectorcall *entry = entry_of(object);

	if (entry != NULL && *entry == call)
		__atomic_store_n(entry, original, __ATOMIC_RELEASE);
}

void ftsan_ufunc_set_type(void *type)
{
	ufunc_type = type;
	atomic_store(&resting, false);
}

void ftsan_ufunc_rest(void)
{
	atomic_store(&resting, true);
}
