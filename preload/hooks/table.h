/*
 * Names, numbers and prototypes generated from table.def.
 *
 * Every wrapper is called ftsan_hook_<name>; the exported LIBC names are jumps to them
 * (start/exports_x86_64.c), so that a wrapper sees its caller's return address whichever
 * way it was reached.
 */
#ifndef FTSAN_PRELOAD_TABLE_H
#define FTSAN_PRELOAD_TABLE_H

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>

typedef void (*ftsan_handler)(int);

enum ftsan_hook_class { FTSAN_CLASS_LIBC, FTSAN_CLASS_PYTHON };

enum ftsan_hook {
#define FTSAN_HOOK(class, file, ret, name, params, args) FTSAN_HOOK_##name,
#include "hooks/table.def"
#undef FTSAN_HOOK
	FTSAN_N_HOOKS
};

#define FTSAN_HOOK(class, file, ret, name, params, args) ret ftsan_hook_##name params;
#include "hooks/table.def"
#undef FTSAN_HOOK

extern const char *const ftsan_hook_names[];

/* How many import slots lead to each wrapper. */
extern _Atomic uint32_t ftsan_hook_counts[];

#endif
