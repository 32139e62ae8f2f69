#include "numpy/numpy_args.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "adapters/adapters.h"
#include "base/base.h"
#include "hooks/hooks.h"
#include "numpy/numpy_alloc.h"
#include "operations/operations.h"
#include "pages/pages.h"
#include "python/python.h"

enum {
	BASES_MAX = 16, /* of a type; deeper ones are no arrays to us */
	DEPTH_MAX = 2,	/* tuples in tuples */
};

/*
 * PyArrayIterObject: the array is behind nd_m1, index, size and five tables of 32 words
 * (numpy/_core/include/numpy/ndarraytypes.h, NPY_MAXDIMS_LEGACY_ITERS; 2.0 to HEAD).
 */
enum { ITERATOR_ARRAY = 3 * 8 + 5 * 32 * 8 };

/* NPY_ARRAY_WRITEBACKIFCOPY (numpy/_core/include/numpy/ndarraytypes.h, 2.0 to HEAD). */
enum { WRITEBACK = 0x2000 };

/* Set once, while NumPy is being imported. NULL: not in this interpreter. */
static const void *array_type;
static const void *iterator_type;
static const void *tuple_type;
static struct {
	ptrdiff_t (*tuple_size)(void *);
	void *(*tuple_item)(void *, ptrdiff_t);
	void *(*dict_item)(void *, const char *);
	int (*compare)(void *, const char *);
} py;

void ftsan_args_init(const void *type, const void *iterator)
{
	array_type = type;
	iterator_type = iterator;
	*(void **)&py.tuple_size = ftsan_real_lookup(RTLD_DEFAULT, "PyTuple_Size");
	*(void **)&py.tuple_item = ftsan_real_lookup(RTLD_DEFAULT, "PyTuple_GetItem");
	*(void **)&py.dict_item = ftsan_real_lookup(RTLD_DEFAULT, "PyDict_GetItemString");
	*(void **)&py.compare =
		ftsan_real_lookup(RTLD_DEFAULT, "PyUnicode_CompareWithASCIIString");
	if (py.tuple_size != NULL && py.tuple_item != NULL)
		tuple_type = ftsan_real_lookup(RTLD_DEFAULT, "PyTuple_Type");
}

static bool is_array(const void *type)
{
	for (unsigned i = 0; type != NULL && i < BASES_MAX; i++) {
		if (type == array_type)
			return true;
		type = ftsan_type_get(type, FTSAN_TP_BASE);
	}
	return false;
}

static void add_array(struct ftsan_operation_frame *frame, void *array, const void *type,
		      bool output)
{
	void *buffer = ftsan_numpy_buffer(array);

	/* Looked at here, because it is so for almost every array. */
	if (FTSAN_UNLIKELY(type != array_type) ||
	    (buffer != NULL &&
	     FTSAN_UNLIKELY(ftsan_guard_object(buffer) != (uintptr_t)array)))
		ftsan_numpy_bind(array, buffer);
	ftsan_operation_add(frame, (uintptr_t)array, buffer, output);
}

/* The array that a flatiter goes over. */
static void *iterated(const void *iterator)
{
	void *array;

	memcpy(&array, ftsan_object_member(iterator, ITERATOR_ARRAY), sizeof(array));
	return array;
}

static void add(struct ftsan_operation_frame *frame, void *object, bool output,
		unsigned depth)
{
	const void *type;
	ptrdiff_t n;

	if (object == NULL)
		return;
	type = ftsan_object_type(object);
	if (is_array(type)) {
		add_array(frame, object, type, output);
		return;
	}
	if (type == iterator_type && iterator_type != NULL)
		add(frame, iterated(object), output, 0);
	if (type != tuple_type || tuple_type == NULL || depth == 0)
		return;
	n = py.tuple_size(object);
	for (ptrdiff_t i = 0; i < n && frame->n_arrays < FTSAN_OPERATION_ARRAYS; i++)
		add(frame, py.tuple_item(object, i), output, depth - 1);
}

static void add_object(struct ftsan_operation_frame *frame, void *object, bool output)
{
	add(frame, object, output, DEPTH_MAX);
}

/* The values of keywords follow the positional arguments; @names is a tuple or NULL. */
static void add_keywords(struct ftsan_operation_frame *frame, void *const *values,
			 void *names)
{
	ptrdiff_t n;

	if (names == NULL || tuple_type == NULL || py.compare == NULL)
		return;
	n = py.tuple_size(names);
	for (ptrdiff_t i = 0; i < n && frame->n_arrays < FTSAN_OPERATION_ARRAYS; i++)
		add_object(frame, values[i],
			   py.compare(py.tuple_item(names, i), "out") == 0);
}

void ftsan_args_add_vector(struct ftsan_operation_frame *frame, void *const *objects,
			   size_t n, uint64_t outputs, void *names)
{
	for (size_t i = 0; i < n && frame->n_arrays < FTSAN_OPERATION_ARRAYS; i++)
		add_object(frame, objects[i], i < 64 && (outputs >> i & 1) != 0);
	add_keywords(frame, objects + n, names);
}

/* @outputs: bit n: item n of the tuple is written to. */
static void add_tuple(struct ftsan_operation_frame *frame, void *tuple, void *dict,
		      uint64_t outputs)
{
	ptrdiff_t n = 0;

	if (tuple != NULL && ftsan_object_type(tuple) == tuple_type)
		n = py.tuple_size(tuple);
	for (ptrdiff_t i = 0; i < n && frame->n_arrays < FTSAN_OPERATION_ARRAYS; i++)
		add_object(frame, py.tuple_item(tuple, i),
			   i < 64 && (outputs >> i & 1) != 0);
	/* Only `out` of the keywords; a look-up costs, so not in every call. */
	if (frame->sampled && dict != NULL && py.dict_item != NULL)
		add_object(frame, py.dict_item(dict, "out"), true);
}

static unsigned outputs_of(const struct ftsan_args *args, void *const *words)
{
	return args->outputs | (args->requirements != 0 &&
				((uintptr_t)words[args->requirements] & WRITEBACK) != 0);
}

/* Those of @which: bit n set: argument n. */
static void add_objects(struct ftsan_operation_frame *frame, unsigned which,
			const struct ftsan_args *args, void *const *words)
{
	unsigned outputs = outputs_of(args, words);

	for (; which != 0; which &= which - 1) {
		unsigned i = (unsigned)__builtin_ctz(which);

		add_object(frame, words[i], (outputs >> i & 1) != 0);
	}
}

/* The number may be an int: the upper half of its word is anything then. */
static void add_counted(struct ftsan_operation_frame *frame,
			const struct ftsan_args *args, void *const *words)
{
	unsigned i = (unsigned)__builtin_ctz(args->objects);
	int32_t n = (int32_t)(uintptr_t)words[i];

	if (n > 0 && words[i + 1] != NULL)
		ftsan_args_add_vector(frame, words[i + 1], (size_t)n,
				      args->outputs >> (i + 1) & 1 ? ~0ull : 0, NULL);
	add_objects(frame, args->objects & (args->objects - 1u), args, words);
}

/* Would add() look any further at it? */
static bool leads_to_array(const void *object)
{
	const void *type;

	if (object == NULL)
		return false;
	type = ftsan_object_type(object);
	return is_array(type) || type == tuple_type || type == iterator_type;
}

bool ftsan_args_may_add(const struct ftsan_args *args, void *const *words)
{
	void *const *objects = words[1];
	size_t n = (size_t)words[2];

	if ((args->convention != FTSAN_ARGS_FAST &&
	     args->convention != FTSAN_ARGS_FAST_KEYWORDS) ||
	    tuple_type == NULL || leads_to_array(words[0]))
		return true;
	if (args->convention == FTSAN_ARGS_FAST_KEYWORDS && words[3] != NULL)
		n += (size_t)py.tuple_size(words[3]);
	for (size_t i = 0; i < n; i++)
		if (leads_to_array(objects[i]))
			return true;
	return false;
}

void ftsan_args_add(struct ftsan_operation_frame *frame, const struct ftsan_args *args,
		    void *const *words)
{
	uint64_t outputs = args->outputs >> 1;

	if (args->convention == FTSAN_ARGS_OBJECTS) {
		add_objects(frame, args->objects, args, words);
		return;
	}
	if (args->convention == FTSAN_ARGS_COUNTED) {
		add_counted(frame, args, words);
		return;
	}
	add_object(frame, words[0], (args->outputs & 1) != 0);
	switch (args->convention) {
	case FTSAN_ARGS_TUPLE:
		add_tuple(frame, words[1], NULL, outputs);
		break;
	case FTSAN_ARGS_TUPLE_DICT:
		add_tuple(frame, words[1], words[2], outputs);
		break;
	case FTSAN_ARGS_FAST:
		ftsan_args_add_vector(frame, words[1], (size_t)words[2], outputs, NULL);
		break;
	case FTSAN_ARGS_FAST_KEYWORDS:
		ftsan_args_add_vector(frame, words[1], (size_t)words[2], outputs,
				      words[3]);
		break;
	default:
		break;
	}
}
