#include "numpy_ops.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/annot.h"
#include "counters.h"
#include "numpy_args.h"
#include "numpy_type.h"

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
	METH_METHOD = 0x200, /* a class comes between self and the arguments */
};

/* What changes its own array, and says so (numpy/_core/src/multiarray/methods.c and
 * getset.c, 2.2.1 to HEAD of August 2026; section 3 of the NumPy documentation of each). */
static const char *const mutating_methods[] = {
	"resize", "setflags", "__setstate__", "_set_shape", "_set_dtype",
};
static const char *const mutating_setters[] = {"shape", "strides", "dtype", "data"};

/*
 * Every calling convention of methods, getters and setters passes at most five
 * pointer-sized arguments in registers and returns in rax, so one prototype forwards
 * them all; registers that a convention does not use carry whatever they held.
 */
typedef void *(*function)(void *self, void *a, void *b, void *c, void *d);

#define REPEAT_8(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7)
#define REPEAT_64(m, n)                                                                  \
	REPEAT_8(m, n##0)                                                                \
	REPEAT_8(m, n##1)                                                                \
	REPEAT_8(m, n##2)                                                                \
	REPEAT_8(m, n##3)                                                                \
	REPEAT_8(m, n##4) REPEAT_8(m, n##5) REPEAT_8(m, n##6) REPEAT_8(m, n##7)
#define REPEAT_512(m, n)                                                                 \
	REPEAT_64(m, n##0)                                                               \
	REPEAT_64(m, n##1)                                                               \
	REPEAT_64(m, n##2)                                                               \
	REPEAT_64(m, n##3)                                                               \
	REPEAT_64(m, n##4) REPEAT_64(m, n##5) REPEAT_64(m, n##6) REPEAT_64(m, n##7)
/* Octal numbers 00000 to 01777: 1024 trampolines. */
#define EACH_TRAMPOLINE(m) REPEAT_512(m, 00) REPEAT_512(m, 01)
enum { TRAMPOLINES = 1024 };

struct hooked {
	function original;
	struct ftsan_op op;
};

/* Filled while modules are being imported, constant afterwards. */
static struct hooked hooked[TRAMPOLINES];
static unsigned used;

/* call() - returns to where the trampoline was called from: it is in its tail. */
static FTSAN_NOINLINE void *call(unsigned n, void *self, void *a, void *b, void *c,
				 void *d)
{
	const struct hooked *the = &hooked[n];
	void *const registers[FTSAN_ARGS_REGISTERS] = {self, a, b, c, d};
	struct ftsan_operation_frame frame;
	void *result;

	ftsan_operation_begin(&frame, &the->op.operation,
			      (uintptr_t)__builtin_return_address(0));
	ftsan_args_add(&frame, the->op.convention, the->op.objects, registers);
	result = the->original(self, a, b, c, d);
	ftsan_operation_end(&frame);
	return result;
}

#define DEFINE(n)                                                                        \
	static void *trampoline_##n(void *self, void *a, void *b, void *c, void *d)      \
	{                                                                                \
		return call(n, self, a, b, c, d);                                        \
	}
EACH_TRAMPOLINE(DEFINE)
#undef DEFINE

#define ENTRY(n) trampoline_##n,
static const function trampolines[TRAMPOLINES] = {EACH_TRAMPOLINE(ENTRY)};
#undef ENTRY

static bool is_ours(const void *entry)
{
	for (unsigned i = 0; i < used; i++)
		if (entry == (const void *)trampolines[i])
			return true;
	return false;
}

void ftsan_ops_hook(void **entry, const struct ftsan_op *op)
{
	if (*entry == NULL || is_ours(*entry))
		return;
	if (used == TRAMPOLINES) {
		ftsan_count(left_out_operations);
		return;
	}
	hooked[used].original = (function)*entry;
	hooked[used].op = *op;
	__atomic_store_n(entry, (void *)trampolines[used], __ATOMIC_RELEASE);
	used++;
}

static bool is_in(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static uint8_t convention_of(int flags)
{
	if (flags & METH_FASTCALL)
		return flags & METH_KEYWORDS ? FTSAN_ARGS_FAST_KEYWORDS : FTSAN_ARGS_FAST;
	if (flags & METH_VARARGS)
		return flags & METH_KEYWORDS ? FTSAN_ARGS_TUPLE_DICT : FTSAN_ARGS_TUPLE;
	return flags & METH_O ? FTSAN_ARGS_OBJECTS : FTSAN_ARGS_SELF;
}

static void hook_method(struct method_def *method, const char *owner)
{
	struct ftsan_op op = {
		.operation = {.owner = owner,
			      .name = method->name,
			      .mutator = is_in(method->name, mutating_methods,
					       FTSAN_ARRAY_LEN(mutating_methods))},
		.convention = convention_of(method->flags),
		.objects = 3, /* METH_O: self and one */
	};

	if ((method->flags & (METH_CLASS | METH_STATIC | METH_METHOD)) == 0)
		ftsan_ops_hook(&method->function, &op);
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
		.convention = FTSAN_ARGS_SELF,
	};
	struct ftsan_op set = {
		.operation = {.owner = owner,
			      .name = setter_name(attribute->name),
			      .mutator = is_in(attribute->name, mutating_setters,
					       FTSAN_ARRAY_LEN(mutating_setters)),
			      .in_place = true},
		.convention = FTSAN_ARGS_OBJECTS,
		.objects = 3,
	};

	ftsan_ops_hook(&attribute->get, &get);
	ftsan_ops_hook(&attribute->set, &set);
}

void ftsan_ops_hook_type(void *type, const char *owner)
{
	struct method_def *method = ftsan_type_get(type, FTSAN_TP_METHODS);
	struct getset_def *attribute = ftsan_type_get(type, FTSAN_TP_GETSET);

	for (; method != NULL && method->name != NULL; method++)
		hook_method(method, owner);
	for (; attribute != NULL && attribute->name != NULL; attribute++)
		hook_attribute(attribute, owner);
}
