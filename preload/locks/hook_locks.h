/* Names, numbers and prototypes generated from locks.def. */
#ifndef FTSAN_PRELOAD_HOOK_LOCKS_H
#define FTSAN_PRELOAD_HOOK_LOCKS_H

#include "base/base.h"

enum ftsan_lock_class {
	FTSAN_LOCK_CLASS_LIBC,
	FTSAN_LOCK_CLASS_CXX,
	FTSAN_LOCK_CLASS_PYTHON
};

enum ftsan_lock_hook {
#define FTSAN_LOCK_HOOK(class, version, ret, name, params) FTSAN_LOCK_HOOK_##name,
#include "locks/locks.def"
#undef FTSAN_LOCK_HOOK
	FTSAN_N_LOCK_HOOKS
};

/* The originals; NULL where there is none, and then no slot leads to the wrapper. */
struct ftsan_real_locks {
#define FTSAN_LOCK_HOOK(class, version, ret, name, params) ret(*name) params;
#include "locks/locks.def"
#undef FTSAN_LOCK_HOOK
};
extern FTSAN_HIDDEN struct ftsan_real_locks ftsan_real_locks;

#define FTSAN_LOCK_HOOK(class, version, ret, name, params) ret ftsan_lock_##name params;
#include "locks/locks.def"
#undef FTSAN_LOCK_HOOK

#endif
