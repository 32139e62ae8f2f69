/* Start-up: whether this process is one of ours, and what it is given then. */
#ifndef FTSAN_PRELOAD_INIT_H
#define FTSAN_PRELOAD_INIT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "options.h"

/* Every wrapper asks this first; false: behave as if not there. */
static inline bool ftsan_preload_active(void)
{
	extern _Atomic bool ftsan_preload_is_active;

	return atomic_load_explicit(&ftsan_preload_is_active, memory_order_acquire);
}

/* Active, and not in a vfork child or raw clone, whose memory or state is not its own. */
bool ftsan_preload_own(void);

/**
 * ftsan_preload_try_activate() - a library was loaded: does it bring CPython?
 * @handle: of dlopen
 *
 * Context: normal context, loader's lock free to take; errno is the caller's to keep.
 */
void ftsan_preload_try_activate(void *handle);

const struct ftsan_options *ftsan_preload_options(void);

/* Is this the first process of the tree, whose exit status is ours to change? */
bool ftsan_preload_root(void);

#endif
