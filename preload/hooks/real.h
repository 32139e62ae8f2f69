/* The functions that ours stand in for. */
#ifndef FTSAN_PRELOAD_REAL_H
#define FTSAN_PRELOAD_REAL_H

#include <stdbool.h>

#include "base/base.h"
#include "hooks/table.h"

/*
 * struct ftsan_real - one member for each line of table.def, same name
 *
 * LIBC members are the next definition after ours in look-up order, which may belong to
 * another preloaded object. PYTHON members come from the object that defines
 * _PyRuntime; NULL before activation and where this version lacks the function.
 * Written once, always with the same values; read without a lock.
 */
struct ftsan_real {
#define FTSAN_HOOK(class, file, ret, name, params, args) ret(*name) params;
#include "hooks/table.def"
#undef FTSAN_HOOK
};
extern FTSAN_HIDDEN struct ftsan_real ftsan_real;

/*
 * A LIBC original that is there whenever it is asked for: wrappers run before our
 * constructor when an earlier constructor calls them.
 */
#define FTSAN_REAL(name)                                                                 \
	(ftsan_real.name ? ftsan_real.name : (ftsan_real_resolve_libc(), ftsan_real.name))

/* Context: normal context, or the first call of any wrapper; idempotent. */
void ftsan_real_resolve_libc(void);

/**
 * ftsan_real_resolve_python() - take the PYTHON originals
 * @py_runtime: address of _PyRuntime
 *
 * Context: once, normal context (loader's lock).
 * Return:  a handle for dlsym() on the object that defines _PyRuntime, NULL if it
 *          could not be had. The handle is never closed.
 */
void *ftsan_real_resolve_python(const void *py_runtime);

/* That handle; NULL before. */
void *ftsan_real_python(void);

/* The originals as numbers, by enum ftsan_hook; 0 where there is none. */
unsigned long ftsan_real_address(enum ftsan_hook which);
/* dlsym() that leaves no error behind for the program's dlerror(). */
void *ftsan_real_lookup(void *handle, const char *name);

#endif
