/* dlopen and dlclose, and the redirections that follow what they load. */
#ifndef FTSAN_PRELOAD_HOOK_DL_H
#define FTSAN_PRELOAD_HOOK_DL_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/loader_listen.h"

/* struct ftsan_wrapper - @wrapper: address of ftsan_hook_NAME(); @exported: of the name
 * that libftsan.so exports, 0: none */
struct ftsan_wrapper {
	uintptr_t wrapper;
	uintptr_t exported;
};

/**
 * struct ftsan_dl_host - what the loader's hooks are told, and whom they tell
 * @wrappers: one for each line of table.def
 * @listeners: who is told of what happens here; ends with NULL
 * @opened:   a library was opened in a process that is not active: does it bring CPython?
 *            Context: normal context, loader's lock free to take
 */
struct ftsan_dl_host {
	const struct ftsan_wrapper *wrappers;
	const struct ftsan_loader_listener *const *listeners;
	void (*opened)(void *handle);
};

/* Before anything else of here but the wrappers; @provided: borrowed for good. */
void ftsan_dl_init(const struct ftsan_dl_host *provided);

/* Redirects the imports of everything that is loaded now. Context: activation, with
 * the originals resolved. */
void ftsan_dl_start(void);

/**
 * ftsan_dl_start_attached() - the same in a process that runs already
 *
 * Calls of dlopen that are under way are waited for, within bounds.
 * Return: 0; -EBUSY when an object was still being relocated, and its imports are left.
 */
int ftsan_dl_start_attached(void);

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
