#include "python/hook_memory.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "pages/pages.h"
#include "python/hook_freed.h"

static void (*_Atomic told)(void);

void ftsan_memory_tell_freed(void (*freed)(void))
{
	atomic_store(&told, freed);
}

static void tell_freed(void)
{
	void (*freed)(void) = atomic_load_explicit(&told, memory_order_relaxed);

	if (FTSAN_UNLIKELY(freed != NULL))
		freed();
}

static FTSAN_NOINLINE void free_guarded(void *block)
{
	ftsan_guard_free(block);
	tell_freed();
}

void ftsan_hook_PyMem_RawFree(void *block)
{
	const void *caller = __builtin_return_address(0);

	/* Whoever frees it, and whoever's free it is: a buffer of ours comes back here.
	 */
	if (ftsan_guard_owns(block))
		free_guarded(block);
	else if (FTSAN_LIKELY(ftsan_freed_leaves(block, FTSAN_FREED_BY_RAW, caller)))
		ftsan_real.PyMem_RawFree(block);
	else
		ftsan_freed_buffer(block, FTSAN_FREED_BY_RAW, caller);
}

void ftsan_hook_PyMem_Free(void *block)
{
	const void *caller = __builtin_return_address(0);

	if (ftsan_guard_owns(block))
		free_guarded(block);
	else if (FTSAN_LIKELY(ftsan_freed_leaves(block, FTSAN_FREED_BY_MEM, caller)))
		ftsan_real.PyMem_Free(block);
	else
		ftsan_freed_buffer(block, FTSAN_FREED_BY_MEM, caller);
}

void *ftsan_memory_move(void *block, size_t size, void *to)
{
	size_t old = ftsan_guard_size(block);

	if (to == NULL)
		return NULL;
	ftsan_guard_copy(to, block, old < size ? old : size);
	ftsan_guard_free_moved(block);
	tell_freed();
	return to;
}

void *ftsan_hook_PyMem_RawRealloc(void *block, size_t size)
{
	uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	void *to;

	if (!ftsan_guard_owns(block)) {
		if (ftsan_freed_resize(block, size, FTSAN_FREED_BY_RAW, (void *)caller,
				       ftsan_real.PyMem_RawMalloc, &to))
			return to;
		return ftsan_real.PyMem_RawRealloc(block, size);
	}
	to = ftsan_guard_realloc(block, size, caller);
	return ftsan_memory_move(block, size,
				 to != NULL ? to : ftsan_real.PyMem_RawMalloc(size));
}
