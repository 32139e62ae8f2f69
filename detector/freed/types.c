#include "freed/types.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "memory/memory.h"

enum {
	/* PyTypeObject from tp_name on (Include/cpython/object.h): words that are
	 * functions or tables, from tp_dealloc to tp_vectorcall. */
	FIRST_WORD = 3,
	WORDS = 48,
};

struct ftsan_freed_types ftsan_freed_types;
FTSAN_TLS uint32_t ftsan_freed_turns;
static struct ftsan_freed_host host;

void ftsan_types_init(const struct ftsan_freed_host *the_host)
{
	const struct ftsan_module *module = ftsan_module_of(the_host->type_type);

	host = *the_host;
	ftsan_freed_types.begin = module != NULL ? module->begin : 0;
	ftsan_freed_types.bytes = module != NULL ? module->end - module->begin : 0;
	ftsan_freed_types.ob_type = the_host->abi->ob_type;
}

static bool is_extensions(uintptr_t address)
{
	const struct ftsan_module *module;

	if (address < FTSAN_PAGE ||
	    address - ftsan_freed_types.begin < ftsan_freed_types.bytes ||
	    (address >= host.own_begin && address < host.own_end))
		return false;
	module = ftsan_module_of(address);
	return module != NULL && strstr(module->path, "/lib-dynload/") == NULL;
}

static bool look(uintptr_t type)
{
	uintptr_t words[WORDS];

	if (ftsan_module_of(type) != NULL)
		return is_extensions(type);
	if (!ftsan_memory_is_type(type) ||
	    ftsan_safe_read(words, (const void *)(type + host.abi->type_name),
			    sizeof(words)) != 0)
		return false;
	for (unsigned i = FIRST_WORD; i < WORDS; i++)
		if (is_extensions(words[i]))
			return true;
	return false;
}

static void remember(uintptr_t key, enum ftsan_type_known known)
{
	_Atomic uintptr_t *entry = ftsan_type_entry_of(key);

	atomic_store_explicit(&ftsan_freed_types.held[entry - ftsan_freed_types.known], 0,
			      memory_order_relaxed);
	atomic_store_explicit(entry, key | known, memory_order_relaxed);
}

uint32_t ftsan_type_count(uintptr_t key, enum ftsan_type_known known)
{
	_Atomic uintptr_t *entry = ftsan_type_entry_of(key);
	_Atomic uint32_t *held = &ftsan_freed_types.held[entry - ftsan_freed_types.known];
	uint32_t before;

	if (known == FTSAN_TYPE_UNKNOWN)
		remember(key, FTSAN_TYPE_OWN);
	before = atomic_fetch_add_explicit(held, 1, memory_order_relaxed);
	if (before == FTSAN_FREED_FEW)
		atomic_store_explicit(entry, key | FTSAN_TYPE_SAMPLED,
				      memory_order_relaxed);
	return before;
}

bool ftsan_type_is_own(uintptr_t type)
{
	enum ftsan_type_known before = ftsan_type_known(type);

	if (before == FTSAN_TYPE_UNKNOWN && type % 8 == 0) {
		before = look(type) ? FTSAN_TYPE_OWN : FTSAN_TYPE_PLAIN;
		remember(type, before);
	}
	return before >= FTSAN_TYPE_OWN;
}
