#include "statics/table.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"

enum {
	PROBES = 64,
	LIMIT_SHARE = 32, /* of a limit of the process's memory: 57 MiB, of which few are
			     ever touched, count in full there */
};

/* Mapped once; kept over a detach. */
static struct static_module *modules;
static struct static_page *pages;
static struct static_word *words;
static struct static_writer *writers;
static const struct {
	void *at; /* of the variable above */
	size_t size_bytes;
} tables[] = {
	{&modules, STATIC_MODULES * sizeof(*modules)},
	{&pages, STATIC_PAGES * sizeof(*pages)},
	{&words, STATIC_WORDS * sizeof(*words)},
	{&writers, STATIC_WRITERS * sizeof(*writers)},
};

static _Atomic unsigned n_modules; /* stored with release after the entry is complete */
static _Atomic uint32_t lock_owner;

static bool have_room(void)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(tables); i++)
		bytes += tables[i].size_bytes;
	return bytes <= ftsan_sys_memory_limit() / LIMIT_SHARE;
}

static bool map(void *at, size_t size_bytes)
{
	void *table;

	memcpy(&table, at, sizeof(table));
	if (table != NULL)
		return true;
	table = ftsan_sys_map(size_bytes);
	memcpy(at, &table, sizeof(table));
	return table != NULL;
}

int static_table_init(void)
{
	if (words == NULL && !have_room())
		return -ENOMEM;
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(tables); i++)
		if (!map(tables[i].at, tables[i].size_bytes))
			return -ENOMEM;
	return 0;
}

void static_records_lock(void)
{
	uint32_t free = 0;

	while (!atomic_compare_exchange_weak_explicit(
		&lock_owner, &free, 1, memory_order_acquire, memory_order_relaxed)) {
		free = 0;
		ftsan_sys_yield();
	}
}

void static_records_unlock(void)
{
	atomic_store_explicit(&lock_owner, 0, memory_order_release);
}

void static_records_fork_child(void)
{
	atomic_store_explicit(&lock_owner, 0, memory_order_relaxed);
}

static uint32_t hash(uint64_t key, unsigned bits)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15u >> (64 - bits));
}

struct static_page *static_page_of(uintptr_t address)
{
	uintptr_t page = address & ~(FTSAN_PAGE - 1);
	uint32_t at = hash(page, 16);

	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) % STATIC_PAGES) {
		uintptr_t there =
			atomic_load_explicit(&pages[at].page, memory_order_acquire);

		if (there == page)
			return &pages[at];
		if (there == 0)
			return NULL;
	}
	return NULL;
}

struct static_page *static_page_add(uintptr_t page, uint16_t module)
{
	uint32_t at = hash(page, 16);

	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) % STATIC_PAGES) {
		uintptr_t there =
			atomic_load_explicit(&pages[at].page, memory_order_relaxed);

		if (there != 0 && there != page)
			continue;
		atomic_store_explicit(&pages[at].module, module, memory_order_relaxed);
		atomic_store_explicit(&pages[at].has_locks, false, memory_order_relaxed);
		atomic_store_explicit(&pages[at].page, page, memory_order_release);
		return &pages[at];
	}
	return NULL;
}

struct static_module *static_module_at(uint16_t index)
{
	return &modules[index];
}

struct static_module *static_module_add(uint16_t *index)
{
	unsigned n = atomic_load_explicit(&n_modules, memory_order_relaxed);

	if (n == STATIC_MODULES)
		return NULL;
	*index = (uint16_t)n;
	memset(&modules[n], 0, sizeof(modules[n]));
	atomic_store_explicit(&n_modules, n + 1, memory_order_release);
	return &modules[n];
}

unsigned static_modules(void)
{
	return atomic_load_explicit(&n_modules, memory_order_acquire);
}

struct static_word *static_word_of(uintptr_t address)
{
	uintptr_t key = address & ~(uintptr_t)7;
	uint32_t at = hash(key, 17);

	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) % STATIC_WORDS) {
		uintptr_t there =
			atomic_load_explicit(&words[at].address, memory_order_acquire);

		if (there == 0 &&
		    atomic_compare_exchange_strong(&words[at].address, &there, key))
			return &words[at];
		if (there == key)
			return &words[at];
	}
	ftsan_count(statics_lost);
	return NULL;
}

struct static_writer *static_writer_of(uintptr_t pc, uintptr_t address, bool *is_new)
{
	uintptr_t word = address & ~(uintptr_t)7;
	uint32_t at = hash(pc * 31 ^ word, 17);

	*is_new = false;
	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) % STATIC_WRITERS) {
		uintptr_t there =
			atomic_load_explicit(&writers[at].pc, memory_order_acquire);

		if (there == 0 &&
		    atomic_compare_exchange_strong(&writers[at].pc, &there, pc)) {
			__atomic_store_n(&writers[at].address, word, __ATOMIC_RELEASE);
			*is_new = true;
			return &writers[at];
		}
		if (there == pc &&
		    __atomic_load_n(&writers[at].address, __ATOMIC_ACQUIRE) == word)
			return &writers[at];
	}
	ftsan_count(statics_lost);
	return NULL;
}

struct static_writer *static_writer_at(uint32_t index)
{
	return &writers[index];
}

void static_writers_begin_anew(void)
{
	for (uint32_t i = 0; i < STATIC_WRITERS; i++) {
		if (atomic_load_explicit(&writers[i].pc, memory_order_relaxed) == 0)
			continue;
		atomic_store_explicit(&writers[i].stores, 0, memory_order_relaxed);
		for (unsigned at = 0; at < STATIC_MOMENTS; at++)
			atomic_store_explicit(&writers[i].moments[at], 0,
					      memory_order_relaxed);
	}
}

/* As struct static_module's, of all modules. */
static _Atomic int last_tid;
static _Atomic uint64_t shared_ns;
/* Several threads are at work if they were within so long. */
static const uint64_t LATELY_NS = 2000u * 1000 * 1000;

static void note_one(_Atomic int *last, _Atomic uint64_t *shared, int tid)
{
	int before = atomic_load_explicit(last, memory_order_relaxed);

	if (before == tid)
		return;
	atomic_store_explicit(last, tid, memory_order_relaxed);
	if (before != 0)
		atomic_store_explicit(shared, ftsan_sys_now_ns(), memory_order_relaxed);
}

bool static_note_thread(struct static_module *module, int tid)
{
	bool alone = atomic_load_explicit(&module->shared_ns, memory_order_relaxed) == 0;

	note_one(&module->last_tid, &module->shared_ns, tid);
	note_one(&last_tid, &shared_ns, tid);
	return alone &&
	       atomic_load_explicit(&module->shared_ns, memory_order_relaxed) != 0;
}

bool static_threads_lately(void)
{
	uint64_t shared = atomic_load_explicit(&shared_ns, memory_order_relaxed);

	return shared != 0 && ftsan_sys_now_ns() - shared < LATELY_NS;
}
