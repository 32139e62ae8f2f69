/* dlopen and dlclose, and the redirections that follow what they load. */
#ifndef FTSAN_PRELOAD_HOOK_DL_H
#define FTSAN_PRELOAD_HOOK_DL_H

#include <stdbool.h>
#include <stdint.h>

extern const char *const ftsan_hook_names[];
extern _Atomic uint32_t ftsan_hook_counts[];

/* Redirects the imports of everything that is loaded now. Context: activation, with
 * the originals resolved. */
void ftsan_dl_start(void);

/**
 * ftsan_dl_start_late() - the same in a process that runs already
 *
 * Calls of dlopen that are under way are waited for, within bounds.
 * Return: 0; -EBUSY when an object was still being relocated, and its imports are left.
 */
int ftsan_dl_start_late(void);

/* Does every dlopen come to an end? Waits for it, within bounds. */
bool ftsan_dl_is_free(void);

/**
 * ftsan_dl_stop() - give the imports back
 * @buffers: guarded buffers are in use: what frees or resizes one stays redirected, and
 *           so does dlopen, for objects to come
 *
 * Context: a detach. Return: 0; -EBUSY when a dlopen does not end: nothing was changed.
 */
int ftsan_dl_stop(bool buffers);

/* Context: the handlers of fork, parent's thread id taken before. */
void ftsan_dl_fork_child(uint32_t parent_tid);

#endif
