/*
 * An extension module that puts an allocator of its own below PyMem_Malloc(): behind each
 * small block it has a word, which it looks at when the block is freed.
 */
#include "module.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 1000, MARK = 0x5a5a, SLOTS = 1 << 16 };
static _Atomic uintptr_t small[SLOTS];
static PyMemAllocatorEx below;

static _Atomic uintptr_t *slot_of(void *block)
{
	return &small[(uintptr_t)block / 16 % SLOTS];
}

static int is_small(void *block)
{
	return block != NULL && *slot_of(block) == (uintptr_t)block;
}

static long *mark_of(void *block)
{
	return (long *)((char *)block + SMALL);
}

static void *marked(void *block)
{
	uintptr_t none = 0;

	if (block != NULL &&
	    atomic_compare_exchange_strong(slot_of(block), &none, (uintptr_t)block))
		*mark_of(block) = MARK;
	return block;
}

static void *allocate(void *ctx, size_t size)
{
	if (size > SMALL)
		return below.malloc(below.ctx, size);
	return marked(below.malloc(below.ctx, SMALL + sizeof(long)));
}

static void *allocate_zeroed(void *ctx, size_t n, size_t size)
{
	if (n * size > SMALL)
		return below.calloc(below.ctx, n, size);
	return marked(below.calloc(below.ctx, 1, SMALL + sizeof(long)));
}

static void release(void *ctx, void *block)
{
	if (is_small(block)) {
		if (*mark_of(block) != MARK)
			abort();
		*slot_of(block) = 0;
	}
	below.free(below.ctx, block);
}

static void *resize(void *ctx, void *block, size_t size)
{
	void *to;

	if (!is_small(block) && block != NULL)
		return below.realloc(below.ctx, block, size);
	to = allocate(ctx, size);
	if (to == NULL || block == NULL)
		return to;
	memcpy(to, block, size < SMALL ? size : SMALL);
	release(ctx, block);
	return to;
}

static int begin(PyObject *module)
{
	PyMemAllocatorEx own = {NULL, allocate, allocate_zeroed, resize, release};

	PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &below);
	PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &own);
	return 0;
}

EXTENSION(own_allocator, NULL, EXEC(begin))
