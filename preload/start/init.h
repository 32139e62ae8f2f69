/* Start-up: whether this process is one of ours, and what it is given then. */
#ifndef FTSAN_PRELOAD_INIT_H
#define FTSAN_PRELOAD_INIT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/options.h"

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

struct ftsan_buf;

/**
 * ftsan_preload_attach() - become active in a process that runs already
 * @text:   options as FTSAN_OPTIONS has them; the process's own are not read
 * @run_id: copied
 * @gil:    state of the GIL, "on", "off" or NULL
 * @why:    gets a sentence when it fails
 *
 * Everything works then but what CPython has loaded already (late_python.h), and nothing
 * is guarded: see ftsan_runtime_halt().
 *
 * Context: normal context of a thread of ours, one at a time. Return: 0 or -errno,
 * nothing left behind.
 */
int ftsan_preload_attach(const char *text, const char *run_id, const char *gil,
			 struct ftsan_buf *why);

/* Everything is hooked: the scout may begin. */
void ftsan_preload_attach_done(void);

/**
 * ftsan_preload_detach() - undo it
 * @why: gets a sentence when it fails, and when something stays
 *
 * What was hooked in CPython's data is restored already. Context: as above.
 * Return: 0; -EBUSY: something does not let go, ftsan still watches.
 */
int ftsan_preload_detach(struct ftsan_buf *why);

/* Was it by ftsan_preload_attach() that we became active? */
bool ftsan_preload_attached(void);

const struct ftsan_options *ftsan_preload_options(void);

/* Is this the first process of the tree, whose exit status is ours to change? */
bool ftsan_preload_root(void);

#endif
