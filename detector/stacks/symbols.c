#include "stacks/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "stacks/elf_file.h"
#include "stacks/eval_loop.h"

#define CACHE_SLOTS 256 /* a power of two */
#define NAME_WORDS (FTSAN_SYMBOL_MAX / sizeof(uint64_t))

/*
 * A remembered answer, a seqlock: odd while it is being written; readers and writers
 * that find it so go without. The words are atomic, stored with release and loaded with
 * acquire: whoever saw a new one sees the odd version at the second look, too.
 */
struct remembered {
	_Atomic uint32_t version;
	_Atomic uintptr_t pc;
	const struct ftsan_module *_Atomic module;
	_Atomic uint64_t name[NAME_WORDS];
};

static struct remembered cache[CACHE_SLOTS];

/* Written at start-up, before the first look-up. */
static struct ftsan_eval_loop eval_loop;

static struct remembered *slot_of(uintptr_t pc)
{
	return &cache[(pc * 0x9e3779b97f4a7c15u) >> 56 & (CACHE_SLOTS - 1)];
}

/* recall() - fills @name from the cache; the module tells two lives of an address apart
 */
static bool recall(uintptr_t pc, const struct ftsan_module *module, char *name)
{
	struct remembered *slot = slot_of(pc);
	uint32_t version = atomic_load_explicit(&slot->version, memory_order_acquire);
	uint64_t words[NAME_WORDS];

	if (version % 2 != 0 ||
	    atomic_load_explicit(&slot->pc, memory_order_acquire) != pc ||
	    atomic_load_explicit(&slot->module, memory_order_acquire) != module)
		return false;
	for (size_t i = 0; i < NAME_WORDS; i++)
		words[i] = atomic_load_explicit(&slot->name[i], memory_order_acquire);
	if (atomic_load_explicit(&slot->version, memory_order_relaxed) != version)
		return false;
	memcpy(name, words, FTSAN_SYMBOL_MAX);
	return true;
}

static void remember(uintptr_t pc, const struct ftsan_module *module, const char *name)
{
	struct remembered *slot = slot_of(pc);
	uint32_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
	uint64_t words[NAME_WORDS];

	if (version % 2 != 0 || !atomic_compare_exchange_strong_explicit(
					&slot->version, &version, version + 1,
					memory_order_acquire, memory_order_relaxed))
		return;
	memcpy(words, name, FTSAN_SYMBOL_MAX);
	for (size_t i = 0; i < NAME_WORDS; i++)
		atomic_store_explicit(&slot->name[i], words[i], memory_order_release);
	atomic_store_explicit(&slot->pc, pc, memory_order_release);
	atomic_store_explicit(&slot->module, module, memory_order_release);
	atomic_store_explicit(&slot->version, version + 2, memory_order_release);
}

/* open_file() - the module's file; < 0: not to be had, or another one by now. */
static int open_file(const struct ftsan_module *module)
{
	char build_id[FTSAN_BUILD_ID_HEX];
	int fd;

	if (module->path[0] != '/')
		return -ENOENT;
	fd = ftsan_sys_open(module->path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	(void)ftsan_elf_file_build_id(fd, build_id, sizeof(build_id));
	/* An upgrade under a running program would give the names of the new file. */
	if (strcmp(build_id, module->build_id) == 0)
		return fd;
	(void)ftsan_sys_close(fd);
	return -ENOENT;
}

static void look_up(const struct ftsan_module *module, uintptr_t pc, char *name)
{
	int fd = open_file(module);

	if (fd < 0)
		return;
	(void)ftsan_elf_function_at(fd, pc - module->bias, name, FTSAN_SYMBOL_MAX);
	(void)ftsan_sys_close(fd);
}

int ftsan_symbol_object(uintptr_t address, char *name, uint64_t *into)
{
	const struct ftsan_module *module = ftsan_module_of(address);
	int fd, found;

	name[0] = '\0';
	fd = module == NULL ? -ENOENT : open_file(module);
	if (fd < 0)
		return -ENOENT;
	found = ftsan_elf_object_at(fd, address - module->bias, name, FTSAN_SYMBOL_MAX,
				    into);
	(void)ftsan_sys_close(fd);
	return found;
}

int ftsan_symbol_name(uintptr_t pc, char *name)
{
	const struct ftsan_module *module = ftsan_module_of(pc);

	memset(name, 0, FTSAN_SYMBOL_MAX);
	if (module == NULL)
		return -ENOENT;
	if (!recall(pc, module, name)) {
		look_up(module, pc, name);
		remember(pc, module, name);
	}
	return name[0] != '\0' ? 0 : -ENOENT;
}

void ftsan_symbols_set_eval(uintptr_t function)
{
	const struct ftsan_module *module = ftsan_module_of(function);

	memset(&eval_loop, 0, sizeof(eval_loop));
	if (module != NULL)
		(void)ftsan_eval_loop_find(&eval_loop, function, module->begin,
					   module->bias);
}

enum ftsan_eval ftsan_symbol_is_eval(uintptr_t pc)
{
	/* Python/ceval.c; Python/generated_cases.c.h with Py_TAIL_CALL_INTERP (3.14). */
	static const char loop[] = "_PyEval_EvalFrameDefault", inner[] = "_TAIL_CALL_";
	char name[FTSAN_SYMBOL_MAX];

	if ((pc >= eval_loop.begin && pc < eval_loop.end) ||
	    (pc >= eval_loop.cold_begin && pc < eval_loop.cold_end))
		return FTSAN_EVAL_LOOP;
	if (ftsan_symbol_name(pc, name) != 0)
		return FTSAN_EVAL_NONE;
	if (strncmp(name, inner, sizeof(inner) - 1) == 0)
		return FTSAN_EVAL_INNER;
	if (strncmp(name, loop, sizeof(loop) - 1) == 0 &&
	    (name[sizeof(loop) - 1] == '\0' || name[sizeof(loop) - 1] == '.'))
		return FTSAN_EVAL_LOOP;
	return FTSAN_EVAL_NONE;
}
