/*
 * Frees of CPython's allocators: what is freed may be held back (detector/freed).
 *
 * The interpreter's own frees are seen by way of PyMem_SetAllocator(): only the function
 * that frees (and with freed=all the one that resizes) is replaced, and its context
 * stays, so that a thread that reads the old function and the new context, or the other
 * way round, does the right thing. What others put on top later (tracemalloc) calls ours;
 * who sets allocators anew (PYTHONMALLOC=debug, at the interpreter's start) is noticed at
 * the next import of an extension module.
 *
 * Frees by extension modules come from import slots (hook_memory.c).
 */
#ifndef FTSAN_PRELOAD_HOOK_FREED_H
#define FTSAN_PRELOAD_HOOK_FREED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "freed/freed.h"

/* Of imports, for preload/start/. */
struct ftsan_module_listener;
extern FTSAN_HIDDEN const struct ftsan_module_listener ftsan_freed_listener;

/* From now on frees are seen. Context: activation, or an attach. */
void ftsan_freed_hooks_start(void);
/* The allocators are as they were, unless somebody has put his own on top; what is held
 * is freed. Context: a detach. */
void ftsan_freed_hooks_stop(void);

/* PyMem_RawMalloc() is mimalloc's (3.15): before, it is libc's, of whose blocks nothing
 * is known. Set at start. */
extern FTSAN_HIDDEN bool ftsan_freed_raw;

/* At the last import an allocator that is not the interpreter's gave buffers: what lies
 * around a block of its is not known. */
extern FTSAN_HIDDEN _Atomic bool ftsan_freed_foreign;

/* Is the thread without a state of the interpreter, as PyMem_RawFree() may be called?
 * Normal context. */
bool ftsan_freed_detached(void);

/* For ftsan_freed_host. */
void ftsan_freed_release(unsigned origin, uintptr_t block);

/* Who frees a block that an extension module frees as a buffer. */
enum { FTSAN_FREED_BY_MEM, FTSAN_FREED_BY_RAW, FTSAN_FREED_BY_ALLOCATOR };

/* Of PyMem_Free() and PyMem_RawFree() of an extension module, and of their like that
 * resize: are blocks looked at at all, and is this one known? */
static inline bool ftsan_freed_asks(const void *block, unsigned origin)
{
	enum ftsan_freed_mode mode = ftsan_freed_mode_now();

	return (origin != FTSAN_FREED_BY_RAW || ftsan_freed_raw) && block != NULL &&
	       (mode == FTSAN_FREED_OWN || mode == FTSAN_FREED_AUTO) &&
	       !atomic_load_explicit(&ftsan_freed_foreign, memory_order_relaxed);
}

/* Is such a block to be freed as ever? False: ftsan_freed_buffer() does what is to be
 * done.
 */
static inline bool ftsan_freed_leaves(const void *block, unsigned origin,
				      const void *caller)
{
	return !ftsan_freed_asks(block, origin) ||
	       ftsan_freed_call_is_plain((uintptr_t)block, (uintptr_t)caller);
}
void ftsan_freed_buffer(void *block, unsigned origin, const void *caller);

/**
 * ftsan_freed_resize() - a block is resized where it would move
 * @allocate: of the same domain
 * @to:       set when true is returned; NULL: there was no memory, and nothing changed
 *
 * Return: false: not one that is held back, or it would not move: resize it as ever.
 */
bool ftsan_freed_resize(void *block, size_t size, unsigned origin, const void *caller,
			void *(*allocate)(size_t), void **to);

#endif
