/*
 * Whether this process is one of ours, and what it was given: every wrapper asks before
 * it does anything. Set by the start-up (start/, attach/), read everywhere.
 */
#ifndef FTSAN_PRELOAD_STATE_H
#define FTSAN_PRELOAD_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"

/* Every wrapper asks this first; false: behave as if not there. Any context. */
static inline bool ftsan_preload_active(void)
{
	extern FTSAN_HIDDEN _Atomic bool ftsan_preload_is_active;

	return atomic_load_explicit(&ftsan_preload_is_active, memory_order_acquire);
}

/* Active, and not in a vfork child or raw clone, whose memory or state is not its own.
 * Async-signal-safe. */
bool ftsan_preload_own(void);

/* Active since an attach, not since the program's start. */
bool ftsan_preload_attached(void);

const struct ftsan_options *ftsan_preload_options(void);

/* Is this the first process of the tree, whose exit status is ours to change? */
bool ftsan_preload_root(void);

/* --- for the start-up ----------------------------------------------------------------
 */

/* Everything that the wrappers lead to is ready, or not there any more. */
void ftsan_preload_become_active(bool attached);
void ftsan_preload_leave(void);

/* The options, for whoever reads them; before the process is active. */
struct ftsan_options *ftsan_preload_set_options(void);

/* @pid: of the first process of the tree. */
void ftsan_preload_set_root(int pid);

#endif
