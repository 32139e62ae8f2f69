#include "numpy_ops.h"

#include <stddef.h>
#include <stdint.h>

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

/* METH_CLASS and METH_STATIC: the first argument is no instance. */
enum { METH_CLASS = 0x10, METH_STATIC = 0x20 };

/*
 * Every calling convention of methods, getters and setters passes at most five
 * pointer-sized arguments in registers and returns in rax, so one prototype forwards
 * them all; registers that a convention does not use carry whatever they held.
 */
typedef void *(*operation)(void *self, void *a, void *b, void *c, void *d);

#define REPEAT_8(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7)
#define REPEAT_64(m, n)                                                                  \
	REPEAT_8(m, n##0)                                                                \
	REPEAT_8(m, n##1)                                                                \
	REPEAT_8(m, n##2)                                                                \
	REPEAT_8(m, n##3)                                                                \
	REPEAT_8(m, n##4) REPEAT_8(m, n##5) REPEAT_8(m, n##6) REPEAT_8(m, n##7)
/* Octal numbers 0000 to 0277: 192 trampolines. */
#define EACH_TRAMPOLINE(m) REPEAT_64(m, 00) REPEAT_64(m, 01) REPEAT_64(m, 02)
enum { TRAMPOLINES = 192 };

/* Filled while the type's module is being imported, constant afterwards. */
static operation originals[TRAMPOLINES];
static void (*entered)(void *self);
static unsigned used;
static unsigned left_out;

#define DEFINE(n)                                                                        \
	static void *trampoline_##n(void *self, void *a, void *b, void *c, void *d)      \
	{                                                                                \
		entered(self);                                                           \
		return originals[n](self, a, b, c, d);                                   \
	}
EACH_TRAMPOLINE(DEFINE)
#undef DEFINE

#define ENTRY(n) trampoline_##n,
static const operation trampolines[TRAMPOLINES] = {EACH_TRAMPOLINE(ENTRY)};
#undef ENTRY

static void hook(void **entry)
{
	if (*entry == NULL)
		return;
	if (used == TRAMPOLINES) {
		left_out++;
		return;
	}
	originals[used] = (operation)*entry;
	__atomic_store_n(entry, (void *)trampolines[used], __ATOMIC_RELEASE);
	used++;
}

void ftsan_ops_hook_type(void *type, void (*enter)(void *self))
{
	struct method_def *method = ftsan_type_get(type, FTSAN_TP_METHODS);
	struct getset_def *attribute = ftsan_type_get(type, FTSAN_TP_GETSET);

	entered = enter;
	for (; method != NULL && method->name != NULL; method++)
		if ((method->flags & (METH_CLASS | METH_STATIC)) == 0)
			hook(&method->function);
	for (; attribute != NULL && attribute->name != NULL; attribute++) {
		hook(&attribute->get);
		hook(&attribute->set);
	}
}

unsigned ftsan_ops_hooked(void)
{
	return used;
}

unsigned ftsan_ops_left_out(void)
{
	return left_out;
}
