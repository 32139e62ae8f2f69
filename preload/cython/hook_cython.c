#include "cython/hook_cython.h"

#include <string.h>

#include "adapters/adapter_cython.h"
#include "stacks/alloc_site.h"
#include "base/annot.h"
#include "base/safe_read.h"
#include "pages/guard.h"
#include "start/init.h"
#include "runtime/runtime.h"

FTSAN_TLS void *ftsan_cython_unfilled;

static void *cleared(void *block, size_t size_bytes)
{
	/* A racy module counts its first entry before it fills it; line 0 matches none.
	 */
	if (block != NULL)
		memset(block, 0, size_bytes);
	return block;
}

void *ftsan_cython_alloc(size_t size_bytes, uintptr_t caller)
{
	struct ftsan_alloc_site site;
	uintptr_t module;

	if (size_bytes != FTSAN_CYTHON_FIRST || !ftsan_guard_ready())
		return NULL;
	module = ftsan_cython_module(caller);
	if (module == 0)
		return NULL;
	ftsan_alloc_site_here(caller, &site);
	ftsan_cython_unfilled = cleared(
		ftsan_guard_alloc(FTSAN_ADAPTER_CYTHON, size_bytes, module, &site),
		size_bytes);
	return ftsan_cython_unfilled;
}

void *ftsan_cython_realloc(void *block, size_t size_bytes, uintptr_t caller)
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

void *ftsan_cython_take_over(const void *block, size_t size_bytes, uintptr_t caller)
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

void ftsan_cython_publish_filled(void)
{
	void *block = ftsan_cython_unfilled;

	ftsan_cython_unfilled = NULL;
	(void)ftsan_guard_publish(block);
}
