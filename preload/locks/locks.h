/*
 * Who holds which lock: wrappers around every function of locks.def and around the
 * methods of Python's own locks, which keep detector/locks/held.h up to date.
 *
 * The interpreter's own use of libc's locks is left out: the lock of the GIL protects
 * nothing of a module's.
 */
#ifndef FTSAN_PRELOAD_LOCKS_H
#define FTSAN_PRELOAD_LOCKS_H

#include <stdbool.h>

/**
 * ftsan_locks_start() - from now on locks are noticed
 * @library:    handle of the object that holds CPython
 * @py_runtime: an address in it
 *
 * Locks that are held already stay unknown. Context: activation, or an attach; again
 * after ftsan_locks_stop(). Before the first ftsan_locks_update().
 */
void ftsan_locks_start(void *library, const void *py_runtime);

/* Redirects the imports of what was loaded since. Context: as ftsan_got_update(). */
void ftsan_locks_update(void);

/*
 * Wraps the methods of _thread.lock and _thread.RLock, once. Context: normal context of a
 * thread that is attached to the interpreter and holds no exception that matters.
 */
void ftsan_locks_python(void);

/* Gives everything back. Context: a detach; with the loader's lock. */
void ftsan_locks_stop(void);

#endif
