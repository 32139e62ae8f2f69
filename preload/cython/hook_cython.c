/* Caches of code objects: their allocation, and when they are filled. */
#include <string.h>

#include "adapters/adapters.h"
#include "base/base.h"
#include "cython/cython.h"
#include "hooks/hooks.h"
#include "pages/pages.h"
#include "python/python.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"

/* A cache that this thread has allocated and not yet filled. */
static FTSAN_TLS void *unfilled;

static void *cleared(void *block, size_t size_bytes)
{
	/* A racy module counts its first entry before it fills it; line 0 matches none.
	 */
	if (block != NULL)
		memset(block, 0, size_bytes);
	return block;
}

/* A guarded block if it may become a cache. */
static void *alloc(size_t size_bytes, uintptr_t caller)
{
	struct ftsan_alloc_site site;
	uintptr_t module;

	if (size_bytes != FTSAN_CYTHON_FIRST || !ftsan_guard_ready())
		return NULL;
	module = ftsan_cython_module(caller);
	if (module == 0)
		return NULL;
	ftsan_alloc_site_here(caller, &site);
	unfilled = cleared(
		ftsan_guard_alloc(FTSAN_ADAPTER_CYTHON, size_bytes, module, &site),
		size_bytes);
	return unfilled;
}

/* realloc of a guarded block: a guarded one again, contents copied, the old one in
 * quarantine; NULL: it is no cache, or there is no room. */
static void *grow(void *block, size_t size_bytes, uintptr_t caller)
{
	size_t old = ftsan_guard_size(block);
	void *to;

	if (!ftsan_guard_is(block, FTSAN_ADAPTER_CYTHON))
		return NULL;
	to = cleared(ftsan_guard_realloc(block, size_bytes, caller), size_bytes);
	if (to == NULL)
		return NULL;
	ftsan_guard_copy(to, block, old < size_bytes ? old : size_bytes);
	/* Sealed before the module stores its address: others read it right away. */
	(void)ftsan_guard_publish(to);
	ftsan_guard_free_moved(block);
	return to;
}

/* A cache grows by as much as it begins with, and begins with a code object. */
static bool is_cache(const void *block, size_t size_bytes, uintptr_t caller)
{
	return size_bytes > FTSAN_CYTHON_FIRST && size_bytes % FTSAN_CYTHON_FIRST == 0 &&
	       ftsan_cython_module(caller) != 0 && ftsan_cython_begins_cache(block);
}

/* realloc of any other block: a guarded one with its contents if it is a cache that is
 * older than our attach, and grows; else NULL. The caller frees the old one. */
static void *take_over(const void *block, size_t size_bytes, uintptr_t caller)
{
	struct ftsan_alloc_site site;
	void *to;

	if (!ftsan_preload_attached() || !is_cache(block, size_bytes, caller))
		return NULL;
	ftsan_alloc_site_here(caller, &site);
	to = cleared(ftsan_guard_alloc(FTSAN_ADAPTER_CYTHON, size_bytes,
				       ftsan_cython_module(caller), &site),
		     size_bytes);
	if (to == NULL)
		return NULL;
	/* It was that long if it is a cache. */
	(void)ftsan_safe_read(to, block, size_bytes - FTSAN_CYTHON_FIRST);
	(void)ftsan_guard_publish(to);
	return to;
}

/* The thread has filled its cache and goes on to use the code object: publishes it. */
static void publish_filled(void)
{
	void *block = unfilled;

	if (FTSAN_LIKELY(block == NULL))
		return;
	unfilled = NULL;
	(void)ftsan_guard_publish(block);
}

void *ftsan_hook_PyMem_Malloc(size_t size)
{
	void *guarded = alloc(size, (uintptr_t)__builtin_return_address(0));

	return guarded != NULL ? guarded : ftsan_real.PyMem_Malloc(size);
}

void *ftsan_hook_PyMem_Realloc(void *block, size_t size)
{
	uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	void *to;

	if (!ftsan_guard_owns(block)) {
		to = block != NULL ? take_over(block, size, caller) : NULL;
		if (to == NULL &&
		    ftsan_freed_resize(block, size, FTSAN_FREED_BY_MEM, (void *)caller,
				       ftsan_real.PyMem_Malloc, &to))
			return to;
		if (to == NULL)
			return ftsan_real.PyMem_Realloc(block, size);
		ftsan_real.PyMem_Free(block);
		return to;
	}
	to = grow(block, size, caller);
	if (to != NULL)
		return to;
	return ftsan_memory_move(block, size, ftsan_real.PyMem_Malloc(size));
}

const struct ftsan_listener ftsan_cython_listener = {.frame = publish_filled};
