#include "numpy_args.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "adapter_numpy.h"
#include "base/annot.h"
#include "hook_numpy.h"
#include "numpy_type.h"
#include "operation.h"
#include "real.h"

enum {
	BASES_MAX = 16, /* of a type; deeper ones are no arrays to us */
	DEPTH_MAX = 2,	/* tuples in tuples */
};

/* PY_VECTORCALL_ARGUMENTS_OFFSET (Include/cpython/abstract.h, 3.13). */
#define VECTORCALL_OFFSET_FLAG (1ull << 63)

/* Set once, while NumPy is being imported. NULL: not in this interpreter. */
static const void *array_type;
static const void *tuple_type;
static struct {
	ptrdiff_t (*tuple_size)(void *);
	void *(*tuple_item)(void *, ptrdiff_t);
	void *(*dict_item)(void *, const char *);
	int (*compare)(void *, const char *);
} py;

void ftsan_args_init(const void *type)
{
	array_type = type;
	*(void **)&py.tuple_size = ftsan_real_lookup(RTLD_DEFAULT, "PyTuple_Size");
	*(void **)&py.tuple_item = ftsan_real_lookup(RTLD_DEFAULT, "PyTuple_GetItem");
	*(void **)&py.dict_item = ftsan_real_lookup(RTLD_DEFAULT, "PyDict_GetItemString");
	*(void **)&py.compare =
		ftsan_real_lookup(RTLD_DEFAULT, "PyUnicode_CompareWithASCIIString");
	if (py.tuple_size != NULL && py.tuple_item != NULL)
		tuple_type = ftsan_real_lookup(RTLD_DEFAULT, "PyTuple_Type");
}

static bool is_array(const void *object)
{
	const void *type = ftsan_object_type(object);

	for (unsigned i = 0; type != NULL && i < BASES_MAX; i++) {
		if (type == array_type)
			return true;
		type = ftsan_type_get(type, FTSAN_TP_BASE);
	}
	return false;
}

static void add(struct ftsan_operation_frame *frame, void *object, bool output,
		unsigned depth)
{
	ptrdiff_t n;

	if (object == NULL)
		return;
	if (is_array(object)) {
		void *buffer = ftsan_numpy_buffer(object);

		ftsan_numpy_bind(object, buffer);
		ftsan_operation_add(frame, (uintptr_t)object, buffer, output);
		return;
	}
	if (tuple_type == NULL || depth == 0 || ftsan_object_type(object) != tuple_type)
		return;
	n = py.tuple_size(object);
	for (ptrdiff_t i = 0; i < n && frame->n_arrays < FTSAN_OPERATION_ARRAYS; i++)
		add(frame, py.tuple_item(object, i), output, depth - 1);
}

void ftsan_args_add_object(struct ftsan_operation_frame *frame, void *object, bool output)
{
	add(frame, object, output, DEPTH_MAX);
}

static void add_vector(struct ftsan_operation_frame *frame, void *const *objects,
		       size_t n)
{
	for (size_t i = 0; i < n && frame->n_arrays < FTSAN_OPERATION_ARRAYS; i++)
		ftsan_args_add_object(frame, objects[i], false);
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
		ftsan_args_add_object(frame, values[i],
				      py.compare(py.tuple_item(names, i), "out") == 0);
}

static void add_tuple(struct ftsan_operation_frame *frame, void *tuple, void *dict)
{
	ftsan_args_add_object(frame, tuple, false);
	/* Only `out` of the keywords; a look-up costs, so not in every call. */
	if (frame->sampled && dict != NULL && py.dict_item != NULL)
		ftsan_args_add_object(frame, py.dict_item(dict, "out"), true);
}

void ftsan_args_add(struct ftsan_operation_frame *frame, uint8_t convention,
		    uint8_t objects, void *const registers[FTSAN_ARGS_REGISTERS])
{
	void *const *vector = registers[1]; /* of the fast conventions only */
	size_t n = (size_t)registers[2];

	if (convention == FTSAN_ARGS_OBJECTS) {
		for (unsigned i = 0; i < FTSAN_ARGS_REGISTERS; i++)
			if (objects & 1u << i)
				ftsan_args_add_object(
					frame, registers[i],
					i == 0 && frame->operation->in_place);
		return;
	}
	if (convention != FTSAN_ARGS_VECTORCALL)
		ftsan_args_add_object(frame, registers[0], frame->operation->in_place);
	switch (convention) {
	case FTSAN_ARGS_TUPLE:
		add_tuple(frame, registers[1], NULL);
		break;
	case FTSAN_ARGS_TUPLE_DICT:
		add_tuple(frame, registers[1], registers[2]);
		break;
	case FTSAN_ARGS_FAST:
		add_vector(frame, vector, n);
		break;
	case FTSAN_ARGS_FAST_KEYWORDS:
	case FTSAN_ARGS_VECTORCALL:
		n &= ~VECTORCALL_OFFSET_FLAG;
		add_vector(frame, vector, n);
		add_keywords(frame, vector + n, registers[3]);
		break;
	default:
		break;
	}
}
