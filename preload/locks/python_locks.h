/*
 * The room of locks: who holds which, by wrappers around every function of locks.def and
 * around the methods of Python's own locks, which keep detector/locks/held.h up to date.
 *
 * The interpreter's own use of libc's locks is left out: the lock of the GIL protects
 * nothing of a module's. Locks that are held already stay unknown.
 *
 * May use: hooks, elf, python, the detector. The wrappers run in whatever thread takes a
 * lock, and hold nothing themselves.
 */
#ifndef FTSAN_PRELOAD_PYTHON_LOCKS_H
#define FTSAN_PRELOAD_PYTHON_LOCKS_H

#include "elf/elf.h"

/*
 * Wraps the methods of _thread.lock and _thread.RLock, once. Context: normal context of a
 * thread that is attached to the interpreter and holds no exception that matters.
 */
void ftsan_locks_python(void);

/* The import slots of locks come and go with all the others. */
extern const struct ftsan_loader_listener ftsan_locks_loader_listener;

#endif
