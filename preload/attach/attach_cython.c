#include "attach/attach_cython.h"

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "adapters/adapters.h"
#include "attach/visit.h"
#include "base/base.h"
#include "hooks/hooks.h"
#include "pages/pages.h"
#include "stacks/stacks.h"

/*
 * struct __Pyx_CodeObjectCache (Cython/Utility/ModuleSetupCode.c, 3.0 to 3.2): @count
 * entries in use, room for @max, which grows by 64. 3.1 has a lock behind it.
 */
struct cache {
	int32_t count, max;
	_Atomic uintptr_t entries;
};
enum {
	GROWS_BY = 64,
	MAX = 1 << 16,
	CACHES = 256,
	TRIES = 50,
	TOP_WORDS = 16,
	PAUSE_NS = 3000000
};

/**
 * struct move - one cache's
 * @from, @max: as found; if they are others by then, it stays where it is
 * @to:         the new array, NULL: no memory
 * @done:       it is the cache's
 */
struct move {
	struct cache *cache;
	const struct ftsan_module *module;
	uintptr_t from;
	int32_t max;
	void *to;
	bool done;
};

/* The search, and what came of it; one caller at a time. */
static struct move moves[CACHES];
static unsigned n_moves;
static bool to_guarded;

/*
 * Arrays that caches had before they were moved. Should a thread have the address of one
 * all the same, it finds there what it expects: they are freed at the next move or when
 * a detach is done, and until then no more are moved than fit.
 */
static void *left[CACHES];
static unsigned n_left;

/* --- finding ------------------------------------------------------------------------ */

static bool is_code_all(uintptr_t entries, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (!ftsan_cython_begins_cache(
			    (const void *)(entries + (uintptr_t)i * FTSAN_CYTHON_ENTRY)))
			return false;
	return true;
}

static bool is_wanted(const struct cache *cache)
{
	uintptr_t entries = atomic_load_explicit(&cache->entries, memory_order_relaxed);

	return cache->count > 0 && cache->count < cache->max && cache->max <= MAX &&
	       cache->max % GROWS_BY == 0 && entries % sizeof(void *) == 0 &&
	       ftsan_guard_owns((const void *)entries) != to_guarded &&
	       is_code_all(entries, cache->count);
}

static void note(struct cache *cache, const struct ftsan_module *module)
{
	if (n_moves + n_left == CACHES)
		return;
	moves[n_moves++] = (struct move){.cache = cache,
					 .module = module,
					 .from = atomic_load(&cache->entries),
					 .max = cache->max};
}

/* A module's writable data; it is mapped for as long as the module is. */
static void search(const struct dl_phdr_info *info, const Elf64_Phdr *segment,
		   const struct ftsan_module *module)
{
	uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
	uintptr_t end = begin + segment->p_memsz;

	begin = (begin + 7) & ~(uintptr_t)7;
	for (; begin + sizeof(struct cache) <= end; begin += 8) {
		struct cache *cache = (struct cache *)begin;

		if (is_wanted(cache))
			note(cache, module);
	}
}

static int look(struct dl_phdr_info *info, size_t size, void *argument)
{
	const struct ftsan_module *module = argument;

	(void)size;
	if (info->dlpi_addr != module->bias)
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    (info->dlpi_phdr[i].p_flags & PF_W))
			search(info, &info->dlpi_phdr[i], module);
	return 1;
}

static void find(const uintptr_t *objects, size_t n)
{
	n_moves = 0;
	for (size_t i = 0; i < n; i++) {
		struct ftsan_module *module = ftsan_module_of(objects[i]);

		if (module != NULL && ftsan_cython_module(objects[i]) != 0)
			dl_iterate_phdr(look, module);
	}
}

/* --- moving ------------------------------------------------------------------------- */

static size_t bytes_of(const struct move *move)
{
	return (size_t)move->max * FTSAN_CYTHON_ENTRY;
}

static void *allocate(const struct move *move)
{
	uintptr_t inside = (uintptr_t)move->cache;
	const struct ftsan_alloc_site nowhere = {.pc = inside};

	if (!to_guarded)
		return ftsan_real.PyMem_Malloc(bytes_of(move));
	return ftsan_guard_alloc(FTSAN_ADAPTER_CYTHON, bytes_of(move),
				 ftsan_cython_module(inside), &nowhere);
}

/* Where a cache is looked up and filled: these functions, which the compiler may have
 * put into one that calls them. A module without names may be anywhere. */
static bool uses_caches(uintptr_t ip)
{
	char name[FTSAN_SYMBOL_MAX];

	if (ftsan_symbol_name(ip, name) != 0 || name[0] == '\0')
		return true;
	return strstr(name, "code_object") != NULL ||
	       strstr(name, "CodeObject") != NULL ||
	       strstr(name, "AddTraceback") != NULL || strstr(name, "code_cache") != NULL;
}

static bool may_be_at(uintptr_t ip)
{
	for (unsigned i = 0; i < n_moves; i++)
		if (ip >= moves[i].module->begin && ip < moves[i].module->end)
			return !uses_caches(ip);
	return true;
}

/* They call one function in the middle of their work, memmove(), whose return address is
 * on top of the stack, or nearly so. Calls that grow a cache are for full ones. */
static bool may_stand(uintptr_t ip, uintptr_t sp, void *argument)
{
	uintptr_t words[TOP_WORDS];

	(void)argument;
	if (!may_be_at(ip) ||
	    ftsan_safe_read(words, (const void *)sp, sizeof(words)) != 0)
		return false;
	for (unsigned i = 0; i < TOP_WORDS; i++)
		if (!may_be_at(words[i]))
			return false;
	return true;
}

/*
 * A full cache is the one that a thread may be about to grow, in a function that is not
 * the module's: it waits for another time.
 */
static void move_one(struct move *move)
{
	struct cache *cache = move->cache;

	if (move->to == NULL || cache->max != move->max || cache->count == cache->max ||
	    atomic_load(&cache->entries) != move->from)
		return;
	memcpy(move->to, (const void *)move->from, bytes_of(move));
	atomic_store(&cache->entries, (uintptr_t)move->to);
	move->done = true;
}

static void move_all(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < n_moves; i++)
		move_one(&moves[i]);
}

static void dispose(void *block)
{
	if (ftsan_guard_owns(block))
		ftsan_guard_free(block);
	else
		ftsan_real.PyMem_Free(block);
}

/* Sealing takes locks that a thread may have stood still with. */
static void settle(const struct move *move)
{
	if (!move->done) {
		dispose(move->to);
		return;
	}
	left[n_left++] = (void *)move->from;
	if (to_guarded)
		(void)ftsan_guard_publish(move->to);
}

void ftsan_attach_cython_forget(void)
{
	while (n_left > 0)
		dispose(left[--n_left]);
}

static bool try_once(const uintptr_t *objects, size_t n, unsigned *moved)
{
	const struct ftsan_rendezvous rendezvous = {.may = may_stand, .work = move_all};
	unsigned before = *moved;

	find(objects, n);
	for (unsigned i = 0; i < n_moves; i++)
		moves[i].to = allocate(&moves[i]);
	if (n_moves > 0)
		(void)ftsan_visit_together(&rendezvous);
	for (unsigned i = 0; i < n_moves; i++) {
		*moved += moves[i].done;
		settle(&moves[i]);
	}
	return *moved - before == n_moves;
}

static void move_caches(const uintptr_t *objects, size_t n,
			struct ftsan_attach_caches *out)
{
	*out = (struct ftsan_attach_caches){0};
	for (unsigned i = 0; i < TRIES; i++) {
		bool all = try_once(objects, n, &out->moved);

		if (i == 0)
			out->found = n_moves;
		if (all)
			return;
		ftsan_sys_sleep(PAUSE_NS);
	}
}

void ftsan_attach_cython_guard(const uintptr_t *objects, size_t n,
			       struct ftsan_attach_caches *out)
{
	to_guarded = true;
	ftsan_attach_cython_forget();
	move_caches(objects, n, out);
}

void ftsan_attach_cython_unguard(const uintptr_t *objects, size_t n)
{
	struct ftsan_attach_caches unused;

	to_guarded = false;
	ftsan_attach_cython_forget();
	move_caches(objects, n, &unused);
}
