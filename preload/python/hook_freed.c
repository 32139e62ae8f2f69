#include "python/hook_freed.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "hooks/hooks.h"
#include "python/module_life.h"
#include "runtime/runtime.h"

/* PyMemAllocatorEx (Include/cpython/pymem.h, 3.5 to 3.15). */
struct allocator {
	void *ctx;
	void *(*malloc)(void *ctx, size_t size);
	void *(*calloc)(void *ctx, size_t n, size_t size);
	void *(*realloc)(void *ctx, void *block, size_t size);
	void (*free)(void *ctx, void *block);
};

/* PyMemAllocatorDomain. */
enum domain { DOMAIN_MEM = 1, DOMAIN_OBJ = 2, DOMAINS };

enum { ORIGINALS = 16 };

/* Allocators that ours was put on top of, in the order in which that happened; they stay,
 * because blocks that they gave may be held. */
static struct original {
	struct allocator allocator;
	enum domain domain;
} originals[ORIGINALS];
static _Atomic unsigned n_originals;
static const struct original *_Atomic current[DOMAINS];

bool ftsan_freed_raw;
_Atomic bool ftsan_freed_foreign;
static void (*get_allocator)(int domain, struct allocator *out);
static void (*set_allocator)(int domain, struct allocator *in);
/* Asks whether ours is still called: see is_called(). */
static _Atomic uintptr_t probe;

/* Somebody has put another allocator in place, and this thread has not seen it whole. */
static FTSAN_NOINLINE const struct original *find_original(enum domain domain,
							   const void *ctx)
{
	for (unsigned i = atomic_load(&n_originals); i-- > 0;)
		if (originals[i].domain == domain && originals[i].allocator.ctx == ctx)
			return &originals[i];
	return atomic_load(&current[domain]);
}

static inline const struct original *original_of(enum domain domain, const void *ctx)
{
	const struct original *now =
		atomic_load_explicit(&current[domain], memory_order_acquire);

	return FTSAN_LIKELY(now->allocator.ctx == ctx) ? now : find_original(domain, ctx);
}

static unsigned origin_of(const struct original *original)
{
	return FTSAN_FREED_BY_ALLOCATOR + (unsigned)(original - originals);
}

bool ftsan_freed_detached(void)
{
	const struct ftsan_host *host = ftsan_runtime_host();
	bool attached;

	(void)ftsan_pyquick_state(ftsan_runtime_abi(), host->tstate_get, NULL, &attached);
	return !attached;
}

void ftsan_freed_release(unsigned origin, uintptr_t block)
{
	const struct allocator *by;

	if (origin == FTSAN_FREED_BY_MEM) {
		ftsan_real.PyMem_Free((void *)block);
		return;
	}
	if (origin == FTSAN_FREED_BY_RAW) {
		ftsan_real.PyMem_RawFree((void *)block);
		return;
	}
	by = &originals[origin - FTSAN_FREED_BY_ALLOCATOR].allocator;
	by->free(by->ctx, (void *)block);
}

void ftsan_freed_buffer(void *block, unsigned origin, const void *caller)
{
	if (!ftsan_freed_take(
		    (uintptr_t)block,
		    &(struct ftsan_freed_from){.origin = origin,
					       .own_call = true,
					       .detached = origin == FTSAN_FREED_BY_RAW &&
							   ftsan_freed_detached(),
					       .pc = (uintptr_t)caller}))
		ftsan_freed_release(origin, (uintptr_t)block);
}

static FTSAN_NOINLINE void free_held(const struct original *original, void *block,
				     const void *caller)
{
	if (atomic_load_explicit(&probe, memory_order_relaxed) == (uintptr_t)block)
		atomic_store(&probe, 0);
	else if (ftsan_freed_take((uintptr_t)block,
				  &(struct ftsan_freed_from){
					  .origin = origin_of(original),
					  /* CPython's own allocators have none. */
					  .live = original->allocator.ctx == NULL,
					  .pc = (uintptr_t)caller}))
		return;
	original->allocator.free(original->allocator.ctx, block);
}

static inline bool leaves_alone(uintptr_t block)
{
	return ftsan_freed_mode_now() != FTSAN_FREED_ALL && ftsan_freed_is_plain(block);
}

static FTSAN_NOINLINE void free_for_other(void *ctx, void *block, const void *caller)
{
	const struct original *original = original_of(DOMAIN_OBJ, ctx);

	if (block == NULL || leaves_alone((uintptr_t)block))
		original->allocator.free(original->allocator.ctx, block);
	else
		free_held(original, block, caller);
}

/* Every object of the program comes through here. What is rare is out of line, so that
 * the way to the original is a few loads and saves no register. */
static void free_object(void *ctx, void *block)
{
	const struct original *now =
		atomic_load_explicit(&current[DOMAIN_OBJ], memory_order_acquire);

	if (FTSAN_UNLIKELY(now->allocator.ctx != ctx || block == NULL))
		free_for_other(ctx, block, __builtin_return_address(0));
	else if (FTSAN_LIKELY(leaves_alone((uintptr_t)block)))
		now->allocator.free(ctx, block);
	else
		free_held(now, block, __builtin_return_address(0));
}

static void free_buffer(void *ctx, void *block)
{
	const struct original *original = original_of(DOMAIN_MEM, ctx);

	if (block == NULL)
		original->allocator.free(original->allocator.ctx, block);
	else
		free_held(original, block, __builtin_return_address(0));
}

/* --- resizing -------------------------------------------------------------------------
 */

/* Where mimalloc leaves a block (mi_heap_realloc_zero(), Objects/mimalloc/alloc.c): it
 * fits, and no more than half of it is waste. */
static bool stays(size_t size, uint32_t usable)
{
	return size <= usable && size >= usable / 2 && size > 0;
}

static void *moved(void *block, size_t size, uint32_t usable, unsigned origin,
		   const void *caller, void *to)
{
	if (to == NULL)
		return NULL;
	memcpy(to, block, usable < size ? usable : size);
	if (!ftsan_freed_take((uintptr_t)block,
			      &(struct ftsan_freed_from){
				      .origin = origin,
				      .own_call = origin < FTSAN_FREED_BY_ALLOCATOR,
				      .detached = origin == FTSAN_FREED_BY_RAW &&
						  ftsan_freed_detached(),
				      .pc = (uintptr_t)caller}))
		ftsan_freed_release(origin, (uintptr_t)block);
	return to;
}

bool ftsan_freed_resize(void *block, size_t size, unsigned origin, const void *caller,
			void *(*allocate)(size_t), void **to)
{
	uint32_t usable;

	if (ftsan_freed_leaves(block, origin, caller))
		return false;
	usable = ftsan_freed_usable((uintptr_t)block);
	if (usable == 0 || stays(size, usable))
		return false;
	*to = moved(block, size, usable, origin, caller, allocate(size));
	return true;
}

static void *resize(enum domain domain, void *ctx, void *block, size_t size,
		    const void *caller)
{
	const struct original *original = original_of(domain, ctx);
	const struct allocator *by = &original->allocator;
	uint32_t usable = block != NULL && ftsan_freed_mode_now() == FTSAN_FREED_ALL
				  ? ftsan_freed_usable((uintptr_t)block)
				  : 0;

	if (usable == 0 || stays(size, usable))
		return by->realloc(by->ctx, block, size);
	return moved(block, size, usable, origin_of(original), caller,
		     by->malloc(by->ctx, size));
}

static void *resize_buffer(void *ctx, void *block, size_t size)
{
	return resize(DOMAIN_MEM, ctx, block, size, __builtin_return_address(0));
}

/* --- putting ours on top --------------------------------------------------------------
 */

static const struct original *remember(enum domain domain, const struct allocator *of)
{
	unsigned n = atomic_load(&n_originals);

	for (unsigned i = 0; i < n; i++)
		if (originals[i].domain == domain &&
		    memcmp(&originals[i].allocator, of, sizeof(*of)) == 0)
			return &originals[i];
	if (n == ORIGINALS)
		return NULL;
	originals[n] = (struct original){.allocator = *of, .domain = domain};
	atomic_store(&n_originals, n + 1);
	return &originals[n];
}

static bool is_ours(const struct allocator *allocator)
{
	return allocator->free == free_object || allocator->free == free_buffer;
}

/*
 * An allocator that is not the interpreter's may have put words of its own before or
 * behind a block: what is filled would be more than the program's part.
 */
static bool is_foreign(const struct allocator *allocator)
{
	uintptr_t at = (uintptr_t)allocator->free - ftsan_freed_types.begin;

	return !is_ours(allocator) && at >= ftsan_freed_types.bytes;
}

static void put_on_top(enum domain domain)
{
	const struct original *original;
	struct allocator now;

	get_allocator(domain, &now);
	if (is_ours(&now) || is_foreign(&now))
		return;
	original = remember(domain, &now);
	if (original == NULL)
		return;
	atomic_store_explicit(&current[domain], original, memory_order_release);
	now.free = domain == DOMAIN_OBJ ? free_object : free_buffer;
	if (domain == DOMAIN_MEM)
		now.realloc = resize_buffer;
	set_allocator(domain, &now);
}

static void put_all_on_top(void)
{
	put_on_top(DOMAIN_OBJ);
	if (ftsan_freed_mode_now() == FTSAN_FREED_ALL)
		put_on_top(DOMAIN_MEM);
}

/*
 * Does a free of an object come here? Somebody may have put himself on top. Asked with a
 * block whose content makes every free of ours look closer.
 */
static bool is_called(void)
{
	struct allocator now;
	uint64_t held = ftsan_freed_fill(0);
	void *block;

	get_allocator(DOMAIN_OBJ, &now);
	if (is_ours(&now))
		return true;
	block = now.malloc(now.ctx, 64);
	if (block == NULL)
		return true;
	memcpy(block, &held, sizeof(held));
	atomic_store(&probe, (uintptr_t)block);
	now.free(now.ctx, block);
	return atomic_exchange(&probe, 0) == 0;
}

/* Before the first module that is not the interpreter's own there is nothing to hold. */
static bool is_wanted(const struct ftsan_module_stage *stage)
{
	const struct ftsan_module *module = ftsan_module_of(stage->object);

	switch (ftsan_freed_mode_now()) {
	case FTSAN_FREED_OFF:
		return false;
	case FTSAN_FREED_ALL:
		return true;
	default:
		return module != NULL && !ftsan_path_is_stdlib(module->path);
	}
}

/* An import: early, and the interpreter is set up by then. */
static void look_again(const struct ftsan_module_stage *stage)
{
	struct allocator buffers;

	if (stage->kind != FTSAN_STAGE_INIT || get_allocator == NULL || !is_wanted(stage))
		return;
	get_allocator(DOMAIN_MEM, &buffers);
	atomic_store(&ftsan_freed_foreign, is_foreign(&buffers));
	if (!is_called())
		put_all_on_top();
}

const struct ftsan_module_listener ftsan_freed_listener = {.begin = look_again};

void ftsan_freed_hooks_start(void)
{
	if (ftsan_freed_mode_now() == FTSAN_FREED_OFF)
		return;
	ftsan_freed_raw = ftsan_runtime_abi()->version >> 16 >= 0x030f;
	*(void **)&get_allocator =
		ftsan_real_lookup(ftsan_real_python(), "PyMem_GetAllocator");
	*(void **)&set_allocator =
		ftsan_real_lookup(ftsan_real_python(), "PyMem_SetAllocator");
	if (set_allocator == NULL)
		get_allocator = NULL;
	/* So as not to cost anything where no extension is used. */
	if (get_allocator != NULL &&
	    (ftsan_freed_mode_now() == FTSAN_FREED_ALL || ftsan_preload_attached()))
		put_all_on_top();
}

void ftsan_freed_hooks_stop(void)
{
	struct allocator now;

	for (enum domain domain = DOMAIN_MEM; domain < DOMAINS; domain++) {
		const struct original *original = atomic_load(&current[domain]);

		if (original == NULL || get_allocator == NULL)
			continue;
		get_allocator(domain, &now);
		if (!is_ours(&now))
			continue;
		now = original->allocator;
		set_allocator(domain, &now);
	}
	ftsan_freed_stop();
}
