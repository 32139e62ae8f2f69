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

/**
 * struct pace - beside each entry of ftsan_freed_types.known
 * @held:  blocks that were held
 * @began: when the last FTSAN_FREED_STRETCH of them began, in nanoseconds
 */
static struct pace {
	_Atomic uint32_t held;
	_Atomic uint64_t began;
} paces[FTSAN_FREED_TYPES];
static _Atomic unsigned n_sampled; /* entries that say so */

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
	return module != NULL && !ftsan_path_is_stdlib(module->path);
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

static bool is_entry_of(unsigned entry, uintptr_t key)
{
	return ftsan_type_entry_says(entry, key) != FTSAN_TYPE_UNKNOWN;
}

static bool is_free(unsigned entry)
{
	return atomic_load_explicit(&ftsan_freed_types.known[entry],
				    memory_order_relaxed) == 0;
}

/* Its own entry, a free one, or the one of the two whose turn it is to be given up. */
static unsigned choose_entry(uintptr_t key)
{
	static _Atomic unsigned given_up;
	unsigned first = ftsan_type_entries_of(key);

	for (unsigned i = 0; i < 2; i++)
		if (is_entry_of(first + i, key))
			return first + i;
	for (unsigned i = 0; i < 2; i++)
		if (is_free(first + i))
			return first + i;
	return first + atomic_fetch_add_explicit(&given_up, 1, memory_order_relaxed) % 2;
}

/* Whoever replaces an entry counts what it finds: threads say different things at once.
 */
static void say(unsigned entry, uintptr_t key, enum ftsan_type_known known)
{
	uintptr_t before = atomic_exchange_explicit(&ftsan_freed_types.known[entry],
						    key | known, memory_order_relaxed);
	bool was = before % 8 >= FTSAN_TYPE_SAMPLED, is = known >= FTSAN_TYPE_SAMPLED;

	if (is && !was)
		atomic_fetch_add_explicit(&n_sampled, 1, memory_order_relaxed);
	else if (was && !is)
		atomic_fetch_sub_explicit(&n_sampled, 1, memory_order_relaxed);
}

static unsigned remember(uintptr_t key, enum ftsan_type_known known)
{
	unsigned entry = choose_entry(key);

	atomic_store_explicit(&paces[entry].held, 0, memory_order_relaxed);
	say(entry, key, known);
	return entry;
}

/* So many were held since the last time: more of them, or fewer, from now on. */
static void set_pace(unsigned entry, uintptr_t key)
{
	enum ftsan_type_known known = ftsan_type_entry_says(entry, key);
	uint64_t now = ftsan_sys_now_ns();
	uint64_t began =
		atomic_exchange_explicit(&paces[entry].began, now, memory_order_relaxed);
	unsigned interval = FTSAN_FREED_FIRST_INTERVAL;

	if (known >= FTSAN_TYPE_SAMPLED)
		interval = ftsan_freed_next_interval(
			(unsigned)(known - FTSAN_TYPE_SAMPLED), now - began,
			atomic_load_explicit(&n_sampled, memory_order_relaxed));
	say(entry, key, (enum ftsan_type_known)(FTSAN_TYPE_SAMPLED + interval));
}

uint32_t ftsan_type_count(uintptr_t key)
{
	unsigned first = ftsan_type_entries_of(key), entry = first + 1;
	uint32_t before;

	if (ftsan_type_known(key) == FTSAN_TYPE_UNKNOWN)
		entry = remember(key, FTSAN_TYPE_OWN);
	else if (is_entry_of(first, key))
		entry = first;
	before = atomic_fetch_add_explicit(&paces[entry].held, 1, memory_order_relaxed);
	if (before >= FTSAN_FREED_FEW &&
	    (before - FTSAN_FREED_FEW) % FTSAN_FREED_STRETCH == 0)
		set_pace(entry, key);
	return before;
}

bool ftsan_type_is_own(uintptr_t type)
{
	enum ftsan_type_known before = ftsan_type_known(type);

	if (before == FTSAN_TYPE_UNKNOWN && type % 8 == 0) {
		before = look(type) ? FTSAN_TYPE_OWN : FTSAN_TYPE_PLAIN;
		(void)remember(type, before);
	}
	return before >= FTSAN_TYPE_OWN;
}
