/*
 * The methods of Python's own locks.
 *
 * The types' method tables are static data of the interpreter, which every way of calling
 * a method goes through: the function in the table is replaced. All conventions that
 * these methods have used pass at most five words, in registers, so that a wrapper can
 * hand on what it was given without knowing which convention it is.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "locks/locks.h"
#include "locks/python_locks.h"
#include "python/python.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"
#include "statics/statics.h"

/* Include/methodobject.h (the same since 3.0). */
struct method_def {
	const char *name;
	void *function;
	int flags;
	const char *doc;
};

typedef void *(*method_fn)(void *, void *, void *, void *, void *);

enum type { LOCK, RLOCK, N_TYPES };
enum role { ACQUIRE, ENTER, RELEASE, EXIT, SAVE, RESTORE, N_ROLES };

static method_fn originals[N_TYPES][N_ROLES];
static const void *py_true;
static bool wrapped;

static enum ftsan_lock_kind kind_of(enum type type)
{
	return type == LOCK ? FTSAN_LOCK_LOCK : FTSAN_LOCK_RLOCK;
}

/*
 * Cython code takes a Python lock by the interpreter's functions, and has no Python
 * frame: it is found on the stack, in the few frames up to the one that runs Python code.
 * What earlier calls have left there looks the same, and may lie before it. So one
 * address of each module is kept: a lock may count as that of a module that did not take
 * it, but always does as that of the one that did.
 */
enum { STACK_WORDS = 96, EVAL_BYTES = 65536 };

struct callers {
	uintptr_t pcs[1 + FTSAN_HELD_NATIVES];
	const struct ftsan_module *modules[1 + FTSAN_HELD_NATIVES];
	unsigned n;
};

static void add_caller(struct callers *callers, uintptr_t word)
{
	const struct ftsan_module *module = ftsan_statics_code(word);

	if (module == NULL)
		return;
	for (unsigned i = 0; i < callers->n; i++)
		if (callers->modules[i] == module)
			return;
	callers->pcs[callers->n] = word;
	callers->modules[callers->n++] = module;
}

static void find_callers(struct callers *callers, const void *frame)
{
	uintptr_t eval = ftsan_runtime_host()->py_eval;
	uintptr_t words[STACK_WORDS];

	callers->n = 0;
	if (ftsan_safe_read(words, frame, sizeof(words)) != 0)
		return;
	for (unsigned i = 0; i < STACK_WORDS; i++) {
		if ((eval != 0 && words[i] - eval < EVAL_BYTES) ||
		    callers->n == FTSAN_ARRAY_LEN(callers->pcs))
			return;
		add_caller(callers, words[i]);
	}
}

static FTSAN_NOINLINE void fill_place(struct ftsan_lock_place *place, uintptr_t pc)
{
	const struct ftsan_host *host = ftsan_runtime_host();
	struct callers callers;

	find_callers(&callers, __builtin_frame_address(0));
	*place = (struct ftsan_lock_place){.pc = callers.n == 0 ? pc : callers.pcs[0],
					   .sp = (uintptr_t)__builtin_frame_address(0)};
	for (unsigned i = 1; i < callers.n; i++)
		place->native[i - 1] = callers.pcs[i];
	if (host->tstate_get != NULL)
		(void)ftsan_pyquick_codes(ftsan_runtime_abi(),
					  (uintptr_t)host->tstate_get(), place->code,
					  FTSAN_HELD_CODES);
}

static void *take(enum type type, enum role role, void **args, uintptr_t pc)
{
	struct ftsan_lock_place place;
	void *result;

	ftsan_lock_begin(kind_of(type), args[0], pc);
	result = originals[type][role](args[0], args[1], args[2], args[3], args[4]);
	if (result == NULL || (role == ACQUIRE && result != py_true)) {
		ftsan_lock_missed();
		return result;
	}
	fill_place(&place, pc);
	ftsan_lock_taken(kind_of(type), args[0], &place);
	return result;
}

static void *drop(enum type type, enum role role, void **args)
{
	ftsan_lock_dropped(args[0]);
	return originals[type][role](args[0], args[1], args[2], args[3], args[4]);
}

static void *save(void **args)
{
	ftsan_lock_saved(args[0]);
	return originals[RLOCK][SAVE](args[0], args[1], args[2], args[3], args[4]);
}

static void *restore(void **args, uintptr_t pc)
{
	uint32_t times = ftsan_lock_restored(args[0]);
	struct ftsan_lock_place place;
	void *result;

	ftsan_lock_begin(FTSAN_LOCK_RLOCK, args[0], pc);
	result = originals[RLOCK][RESTORE](args[0], args[1], args[2], args[3], args[4]);
	fill_place(&place, pc);
	for (uint32_t i = 0; i < times; i++)
		ftsan_lock_taken(FTSAN_LOCK_RLOCK, args[0], &place);
	return result;
}

#define WRAPPER(name, body)                                                              \
	static void *name(void *a, void *b, void *c, void *d, void *e)                   \
	{                                                                                \
		void *args[] = {a, b, c, d, e};                                          \
		return body;                                                             \
	}
#define HERE (uintptr_t) __builtin_return_address(0)

WRAPPER(lock_acquire, take(LOCK, ACQUIRE, args, HERE))
WRAPPER(lock_enter, take(LOCK, ENTER, args, HERE))
WRAPPER(lock_release, drop(LOCK, RELEASE, args))
WRAPPER(lock_exit, drop(LOCK, EXIT, args))
WRAPPER(rlock_acquire, take(RLOCK, ACQUIRE, args, HERE))
WRAPPER(rlock_enter, take(RLOCK, ENTER, args, HERE))
WRAPPER(rlock_release, drop(RLOCK, RELEASE, args))
WRAPPER(rlock_exit, drop(RLOCK, EXIT, args))
WRAPPER(rlock_save, save(args))
WRAPPER(rlock_restore, restore(args, HERE))

/* Modules/_threadmodule.c, 3.11 to 3.15: lock_methods, rlock_methods. */
static const struct {
	const char *name;
	enum role role;
	method_fn wrappers[N_TYPES];
} methods[] = {
	{"acquire", ACQUIRE, {lock_acquire, rlock_acquire}},
	{"acquire_lock", ACQUIRE, {lock_acquire, NULL}},
	{"__enter__", ENTER, {lock_enter, rlock_enter}},
	{"release", RELEASE, {lock_release, rlock_release}},
	{"release_lock", RELEASE, {lock_release, NULL}},
	{"__exit__", EXIT, {lock_exit, rlock_exit}},
	{"_release_save", SAVE, {NULL, rlock_save}},
	{"_acquire_restore", RESTORE, {NULL, rlock_restore}},
};

static void wrap_method(enum type type, struct method_def *def)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(methods); i++) {
		method_fn wrapper = methods[i].wrappers[type];

		if (wrapper == NULL || strcmp(def->name, methods[i].name) != 0 ||
		    !ftsan_writable(def, sizeof(*def)))
			continue;
		memcpy(&originals[type][methods[i].role], &def->function,
		       sizeof(def->function));
		__atomic_store_n(&def->function, *(void **)&wrapper, __ATOMIC_RELEASE);
	}
}

static void wrap_type(enum type type, const void *object)
{
	struct method_def *def = ftsan_type_get(object, FTSAN_TP_METHODS);

	for (; def != NULL && def->name != NULL; def++)
		wrap_method(type, def);
}

void ftsan_locks_python(void)
{
	static const char *const names[] = {[LOCK] = "LockType", [RLOCK] = "RLock"};
	void *(*import)(const char *), *(*attribute)(void *, const char *);
	void (*decref)(void *), (*clear)(void);
	void *module;

	*(void **)&import = ftsan_real_lookup(RTLD_DEFAULT, "PyImport_ImportModule");
	*(void **)&attribute = ftsan_real_lookup(RTLD_DEFAULT, "PyObject_GetAttrString");
	*(void **)&decref = ftsan_real_lookup(RTLD_DEFAULT, "Py_DecRef");
	*(void **)&clear = ftsan_real_lookup(RTLD_DEFAULT, "PyErr_Clear");
	py_true = ftsan_real_lookup(RTLD_DEFAULT, "_Py_TrueStruct");
	if (wrapped || !import || !attribute || !decref || !clear || !py_true)
		return;
	wrapped = true;
	ftsan_type_init();
	module = import("_thread");
	for (unsigned i = 0; module != NULL && i < N_TYPES; i++) {
		void *type = attribute(module, names[i]);

		if (type == NULL)
			continue;
		wrap_type(i, type);
		decref(type);
	}
	clear();
	if (module != NULL)
		decref(module);
}
