#include "numpy/numpy_methods.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "elf/elf.h"
#include "numpy/numpy_ops.h"
#include "numpy/numpy_ufunc_call.h"
#include "python/python.h"

/* Include/methodobject.h, Include/descrobject.h (3.13.5; the same since 3.0). */
struct method_def {
	const char *name;
	void *function;
	int flags;
	const char *doc;
};

struct getset_def {
	const char *name;
	void *get;
	void *set;
	const char *doc;
	void *closure;
};

/* Flags of a method (Include/methodobject.h, 3.13.5). */
enum {
	METH_VARARGS = 0x01,
	METH_KEYWORDS = 0x02,
	METH_NOARGS = 0x04,
	METH_O = 0x08,
	METH_CLASS = 0x10,  /* the first argument is no instance */
	METH_STATIC = 0x20, /* nor here */
	METH_FASTCALL = 0x80,
	METH_METHOD = 0x200, /* a class comes after self; not possible in modules */
};

/* What changes its own array, and says so (numpy/_core/src/multiarray/methods.c and
 * getset.c, 2.2.1 to HEAD of August 2026; section 3 of the NumPy documentation of each).
 */
static const char *const mutating_methods[] = {
	"resize", "setflags", "__setstate__", "_set_shape", "_set_dtype",
};
static const char *const mutating_setters[] = {"shape", "strides", "dtype", "data"};

/* What writes to the data of its own array, or of the first one it is given. */
static const char *const writing_methods[] = {
	"fill", "partition", "put", "setfield", "sort",
};
static const char *const writing_functions[] = {
	"_place", "at", /* of a ufunc */
	"copyto", "nested_iters", "putmask",
};

/* What is called most, and reads no header: a shape may be an array, of which only the
 * items count. */
static const char *const makers[] = {"empty", "zeros"};

static uint8_t convention_of(int flags)
{
	if (flags & METH_FASTCALL)
		return flags & METH_KEYWORDS ? FTSAN_ARGS_FAST_KEYWORDS : FTSAN_ARGS_FAST;
	if (flags & METH_VARARGS)
		return flags & METH_KEYWORDS ? FTSAN_ARGS_TUPLE_DICT : FTSAN_ARGS_TUPLE;
	return flags & METH_O ? FTSAN_ARGS_OBJECTS : FTSAN_ARGS_SELF;
}

/* METH_O: self and one. */
static struct ftsan_op describe(const struct method_def *method, const char *owner)
{
	return (struct ftsan_op){
		.operation = {.owner = owner, .name = method->name},
		.args = {.convention = convention_of(method->flags), .objects = 3},
	};
}

static void hook_method(struct method_def *method, const char *owner)
{
	struct ftsan_op op = describe(method, owner);

	if (method->flags & (METH_CLASS | METH_STATIC | METH_METHOD))
		return;
	op.operation.mutator = FTSAN_STR_IS_ONE(method->name, mutating_methods);
	op.args.outputs =
		op.operation.mutator || FTSAN_STR_IS_ONE(method->name, writing_methods);
	ftsan_ops_hook(&method->function, &op);
}

static bool may_write(struct method_def *methods)
{
	size_t n = 0;

	while (methods != NULL && methods[n].name != NULL)
		n++;
	if (n != 0 && ftsan_writable(methods, n * sizeof(*methods)))
		return true;
	ftsan_count_add(left_out_operations, n);
	return false;
}

static void hook_function(struct method_def *function, const char *owner, bool numpy)
{
	struct ftsan_op op = describe(function, owner);

	if (numpy && FTSAN_STR_IS_ONE(function->name, makers))
		return;
	op.optional = true;
	if (numpy && FTSAN_STR_IS_ONE(function->name, writing_functions))
		op.args.outputs = 2;
	if (numpy && strcmp(function->name, "frompyfunc") == 0)
		op.made = ftsan_ufunc_made;
	ftsan_ops_hook(&function->function, &op);
}

void ftsan_methods_hook(void *table, const char *owner, bool numpy)
{
	struct method_def *function = table;

	for (bool may = may_write(function); may && function->name != NULL; function++)
		hook_function(function, owner, numpy);
}

/* The name of a setter says so; made once, kept for good. */
static const char *setter_name(const char *name)
{
	static char names[128][24];
	static unsigned n;

	if (n == FTSAN_ARRAY_LEN(names))
		return name;
	(void)snprintf(names[n], sizeof(names[n]), "%s=", name);
	return names[n++];
}

static void hook_attribute(struct getset_def *attribute, const char *owner)
{
	struct ftsan_op get = {
		.operation = {.owner = owner, .name = attribute->name},
		.args = {.convention = FTSAN_ARGS_SELF},
	};
	struct ftsan_op set = {
		.operation = {.owner = owner,
			      .name = setter_name(attribute->name),
			      .mutator = FTSAN_STR_IS_ONE(attribute->name,
							  mutating_setters)},
		.args = {.convention = FTSAN_ARGS_OBJECTS, .objects = 3, .outputs = 1},
	};

	ftsan_ops_hook(&attribute->get, &get);
	ftsan_ops_hook(&attribute->set, &set);
}

void ftsan_methods_hook_type(void *type, const char *owner)
{
	struct method_def *method = ftsan_type_get(type, FTSAN_TP_METHODS);
	struct getset_def *attribute = ftsan_type_get(type, FTSAN_TP_GETSET);

	for (; method != NULL && method->name != NULL; method++)
		hook_method(method, owner);
	for (; attribute != NULL && attribute->name != NULL; attribute++)
		hook_attribute(attribute, owner);
}
