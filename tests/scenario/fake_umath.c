/* What numpy/_core/_multiarray_umath.so does with arrays, as far as ftsan looks. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_numpy.h"

#define EXPORT __attribute__((visibility("default")))

/* PyTypeObject of a free-threaded 3.13 (Include/cpython/object.h), as far as needed. */
struct type {
	char object[24];
	void *metatype;
	ptrdiff_t size;
	const char *name;
	char until_methods[200];
	struct method *methods;
	void *members;
	struct getset *getset;
	char until_alloc[48];
	void *(*alloc)(struct type *type, ptrdiff_t n_items);
	char rest[96];
};

struct method {
	const char *name;
	void *(*function)(void *self, void *unused);
	int flags;
	const char *doc;
};

struct getset {
	const char *name;
	void *get, *set;
	const char *doc;
	void *closure;
};

/* PyArray_Descr behind the object header. */
static struct {
	char object[32];
	void *typeobj;
	char kind, type, byteorder, former_flags;
	int type_num;
	uint64_t flags;
	ptrdiff_t elsize;
} float64 = {.kind = 'f', .type = 'd', .byteorder = '=', .elsize = 8};

static void *generic_alloc(struct type *type, ptrdiff_t n_items)
{
	struct fake_array *array = calloc(1, sizeof(*array));

	(void)n_items;
	if (array != NULL)
		array->type = type;
	return array;
}

static void *do_nothing(void *self, void *unused)
{
	(void)unused;
	return self;
}

static struct method methods[] = {{"view", do_nothing, 0, NULL}, {0}};
static struct getset no_getset[1];
static struct type array_type = {.metatype = PyType_Type,
				 .name = "numpy.ndarray",
				 .methods = methods,
				 .getset = no_getset,
				 .alloc = generic_alloc};
static void *api_table[512] = {[2] = &array_type};

/* As NewFromDescr: the header, then the dims, then their values. */
static struct fake_array *create(int nd, int64_t length, unsigned pause_us)
{
	struct fake_array *array = array_type.alloc(&array_type, 0);

	if (array == NULL)
		abort();
	array->nd = nd;
	array->descr = &float64;
	array->dims = PyMem_RawMalloc((size_t)nd * 16);
	if (array->dims == NULL)
		abort();
	array->strides = array->dims + nd;
	if (pause_us != 0)
		usleep(pause_us);
	for (int i = 0; i < nd; i++) {
		array->dims[i] = length;
		array->strides[i] = 8;
	}
	return array;
}

static void destroy(struct fake_array *array)
{
	PyMem_RawFree(array->dims);
	free(array);
}

static int64_t *resize(struct fake_array *array)
{
	int64_t *old = array->dims;

	array->dims = PyMem_RawRealloc(old, (size_t)array->nd * 24);
	array->strides = array->dims + array->nd;
	return old;
}

static void method(struct fake_array *array)
{
	((struct type *)array->type)->methods[0].function(array, NULL);
}

/* Not a constructor: an import's dlopen() is over when CPython calls PyInit. */
static void import(void)
{
	/* Others come first in the real module, too. */
	(void)PyCapsule_New(&float64, "another", NULL);
	(void)PyCapsule_New(NULL, NULL, NULL);
	(void)PyCapsule_New(api_table, NULL, NULL);
}

EXPORT extern const struct fake_numpy fake_numpy;
const struct fake_numpy fake_numpy = {import, create, destroy, resize, method};
