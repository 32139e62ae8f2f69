#include "hooks/real.h"

#include "hooks/glibc.h"

#include <assert.h>
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

struct ftsan_real ftsan_real;

static_assert(sizeof(ftsan_real) == FTSAN_N_HOOKS * sizeof(void *),
	      "the originals are addressed by their number");

static const struct {
	const char *name;
	enum ftsan_hook_class class;
} hooks[] = {
#define FTSAN_HOOK(class, file, ret, name, params, args) {#name, FTSAN_CLASS_##class},
#include "hooks/table.def"
#undef FTSAN_HOOK
};

/* Through memcpy: a function pointer is no `void *` to the compiler. */
static void set(enum ftsan_hook which, void *address)
{
	memcpy((char *)&ftsan_real + which * sizeof(void *), &address, sizeof(address));
}

unsigned long ftsan_real_address(enum ftsan_hook which)
{
	unsigned long address;

	memcpy(&address, (char *)&ftsan_real + which * sizeof(void *), sizeof(address));
	return address;
}

void *ftsan_real_lookup(void *handle, const char *name)
{
	void *address = dlsym(handle, name);

	if (!address)
		(void)dlerror();
	return address;
}

void ftsan_real_resolve_libc(void)
{
	for (unsigned i = 0; i < FTSAN_N_HOOKS; i++)
		if (hooks[i].class == FTSAN_CLASS_LIBC)
			set(i, ftsan_real_lookup(RTLD_NEXT, hooks[i].name));
}

static void *handle_of(const struct link_map *map)
{
	/* The executable's map has no name; NULL asks for it and what comes after it. */
	if (map->l_name[0] == '\0')
		return FTSAN_REAL(dlopen)(NULL, RTLD_LAZY);
	return FTSAN_REAL(dlopen)(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
}

/*
 * A preloaded object may define one of these names as well. What the slots of
 * extension modules hold is then its business, and they are left alone (elf/got.c).
 */
static void *lookup_in(void *handle, const Dl_info *object, const char *name)
{
	void *address = ftsan_real_lookup(handle, name);
	Dl_info info;

	if (!address || !dladdr(address, &info) || info.dli_fbase != object->dli_fbase)
		return NULL;
	return address;
}

static void *python;

void *ftsan_real_python(void)
{
	return python;
}

void *ftsan_real_resolve_python(const void *py_runtime)
{
	struct link_map *map = NULL;
	Dl_info object;
	void *handle;

	if (!dladdr1(py_runtime, &object, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return NULL;
	handle = handle_of(map);
	if (!handle)
		return NULL;
	for (unsigned i = 0; i < FTSAN_N_HOOKS; i++)
		if (hooks[i].class == FTSAN_CLASS_PYTHON)
			set(i, lookup_in(handle, &object, hooks[i].name));
	python = handle;
	return handle;
}
