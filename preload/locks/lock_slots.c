/* Redirects the imports of every object to the wrappers of locks. */
#include <dlfcn.h>
#include <string.h>

#include "base/base.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "locks/hook_locks.h"
#include "locks/python_locks.h"
#include "runtime/runtime.h"
#include "statics/statics.h"

_Static_assert((int)FTSAN_N_LOCK_HOOKS <= (int)FTSAN_GOT_MAX, "one bit a hook");

static const struct {
	enum ftsan_lock_class class;
	const char *name, *version;
} rows[] = {
#define FTSAN_LOCK_HOOK(class, version, ret, name, params)                               \
	{FTSAN_LOCK_CLASS_##class, #name, version},
#include "locks/locks.def"
#undef FTSAN_LOCK_HOOK
};

/* All guarded by the lock around the loader, whose holder calls us. */
static struct ftsan_got_hook table[FTSAN_N_LOCK_HOOKS];
static _Atomic uint32_t counts[FTSAN_N_LOCK_HOOKS];
static struct ftsan_got got = {
	.hooks = table, .n_hooks = FTSAN_N_LOCK_HOOKS, .counts = counts};
static bool started;
static bool has_cxx;

static void set(unsigned i, void *address)
{
	memcpy((char *)&ftsan_real_locks + i * sizeof(void *), &address, sizeof(address));
	table[i].original = (uintptr_t)address;
}

static void *libc_address(unsigned i)
{
	void *address = NULL;

	if (rows[i].version != NULL)
		address = dlvsym(RTLD_NEXT, rows[i].name, rows[i].version);
	if (address == NULL)
		(void)dlerror();
	return address != NULL ? address : ftsan_real_lookup(RTLD_NEXT, rows[i].name);
}

static void fill(void *library)
{
	unsigned i = 0;

#define FTSAN_LOCK_HOOK(class, version, ret, name_, params)                              \
	table[i].name = #name_;                                                          \
	table[i].replacement = (uintptr_t)ftsan_lock_##name_;                            \
	i++;
#include "locks/locks.def"
#undef FTSAN_LOCK_HOOK
	for (i = 0; i < FTSAN_N_LOCK_HOOKS; i++) {
		if (rows[i].class == FTSAN_LOCK_CLASS_LIBC)
			set(i, libc_address(i));
		else if (rows[i].class == FTSAN_LOCK_CLASS_PYTHON)
			set(i, ftsan_real_lookup(library, rows[i].name));
	}
}

/*
 * libstdc++ comes with some extension, out of the global scope. Were there several (one
 * in a wheel, say), all guards of the first one's users would still go through the first.
 */
static void look_for_cxx(void)
{
	void *library;

	if (has_cxx)
		return;
	library = FTSAN_REAL(dlopen)("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
	if (library == NULL) {
		(void)dlerror();
		return;
	}
	for (unsigned i = 0; i < FTSAN_N_LOCK_HOOKS; i++)
		if (rows[i].class == FTSAN_LOCK_CLASS_CXX)
			set(i, ftsan_real_lookup(library, rows[i].name));
	has_cxx = true;
	ftsan_got_forget(&got);
}

static void start(void)
{
	if (started || !ftsan_statics_on())
		return;
	fill(ftsan_real_python());
	got.skip = ftsan_runtime_host()->py_runtime;
	started = true;
}

/* Redirects the imports of what was loaded since. */
static void update(void)
{
	if (!started)
		return;
	look_for_cxx();
	(void)ftsan_got_update(&got);
}

static void stop(void)
{
	if (!started)
		return;
	ftsan_got_restore(&got, 0);
	started = false;
	has_cxx = false;
}

const struct ftsan_loader_listener ftsan_locks_loader_listener = {
	.start = start, .update = update, .stop = stop};
