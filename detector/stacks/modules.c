/*
 * The table of loaded modules. One writer at a time appends; readers take no lock.
 *
 * An entry's range is published last (its end, with release; readers acquire it) and
 * withdrawn by an end of 0; an object that comes back to its place gets its entry back.
 * The ftsan_module behind an entry never changes or moves, so a reader that holds one
 * keeps a true answer for the moment of its look-up.
 */
#include "stacks/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/base.h"
#include "stacks/elf_file.h"

/* Several times what scientific stacks load (about 300); further ones stay unknown. */
#define MODULES_MAX 4096
/* Modules come in blocks of this many: about 140 KiB of address space each. */
#define BLOCK_MODULES 240
#define NOTES_MAX_BYTES 1024

struct entry {
	_Atomic uintptr_t begin;
	_Atomic uintptr_t end;
	struct ftsan_module *module;
};

static struct entry entries[MODULES_MAX];
/* Stored with release after the entry is complete; readers acquire. */
static _Atomic unsigned n_entries;
/* Pid of the process whose thread is refreshing, or 0: a fork in the middle of a
 * refresh must not leave the child without one for ever. */
static _Atomic int refreshing;
/* The refresher's. */
static struct ftsan_module *block;
static unsigned block_used;

struct refresh {
	bool seen_executable;
	unsigned modules;
};

static struct ftsan_module *new_module(void)
{
	if (block == NULL || block_used == BLOCK_MODULES) {
		block = ftsan_sys_map(BLOCK_MODULES * sizeof(*block));
		block_used = 0;
	}
	return block == NULL ? NULL : &block[block_used++];
}

static void find_range(const struct dl_phdr_info *info, uintptr_t *begin, uintptr_t *end)
{
	*begin = UINTPTR_MAX;
	*end = 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD)
			continue;
		if (start < *begin)
			*begin = start;
		if (start + segment->p_memsz > *end)
			*end = start + segment->p_memsz;
	}
}

static void find_build_id(const struct dl_phdr_info *info, char *hex)
{
	unsigned char notes[NOTES_MAX_BYTES];

	hex[0] = '\0';
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;
		size_t size = segment->p_memsz;

		if (segment->p_type != PT_NOTE)
			continue;
		if (size > sizeof(notes))
			size = sizeof(notes);
		if (ftsan_safe_read(notes, (const void *)start, size) == 0 &&
		    ftsan_elf_build_id(notes, size, segment->p_align, hex,
				       FTSAN_BUILD_ID_HEX))
			return;
	}
}

/* The loader names the executable "": the kernel knows better. */
static void find_path(const char *name, bool executable, char *path)
{
	size_t length = strlen(name);

	if (executable) {
		long got =
			ftsan_sys_call6(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe",
					(long)path, FTSAN_PATH_MAX - 1, 0, 0);

		path[got > 0 ? got : 0] = '\0';
		return;
	}
	if (length > FTSAN_PATH_MAX - 1)
		length = FTSAN_PATH_MAX - 1;
	memcpy(path, name, length);
	path[length] = '\0';
}

/* find_same() - the entry that was made for this very object, or n_entries */
static unsigned find_same(const struct ftsan_module *module)
{
	/* Relaxed: the refresher alone writes. */
	unsigned count = atomic_load_explicit(&n_entries, memory_order_relaxed), i;

	for (i = 0; i < count; i++) {
		const struct ftsan_module *old = entries[i].module;

		if (old->begin == module->begin && old->end == module->end &&
		    old->bias == module->bias && strcmp(old->path, module->path) == 0 &&
		    strcmp(old->build_id, module->build_id) == 0)
			break;
	}
	return i;
}

static bool published(const struct entry *entry)
{
	return atomic_load_explicit(&entry->end, memory_order_relaxed) != 0;
}

/* publish() - let an entry answer, and withdraw those whose addresses it took over */
static void publish(unsigned index, unsigned count)
{
	struct entry *entry = &entries[index];
	const struct ftsan_module *module = entry->module;

	for (unsigned i = 0; i < count; i++) {
		const struct ftsan_module *old = entries[i].module;

		if (i != index && old->begin < module->end && module->begin < old->end)
			atomic_store_explicit(&entries[i].end, 0, memory_order_relaxed);
	}
	atomic_store_explicit(&entry->begin, module->begin, memory_order_relaxed);
	atomic_store_explicit(&entry->end, module->end, memory_order_release);
}

static void append(const struct ftsan_module *found)
{
	unsigned count = atomic_load_explicit(&n_entries, memory_order_relaxed);
	struct ftsan_module *module;

	if (count == MODULES_MAX)
		return;
	module = new_module();
	if (module == NULL)
		return;
	*module = *found;
	entries[count].module = module;
	publish(count, count);
	atomic_store_explicit(&n_entries, count + 1, memory_order_release);
}

static void add(const struct ftsan_module *found)
{
	unsigned count = atomic_load_explicit(&n_entries, memory_order_relaxed);
	unsigned index = find_same(found);

	if (index == count)
		append(found);
	else if (!published(&entries[index]))
		publish(index, count);
}

static int take_notice(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct refresh *refresh = argument;
	struct ftsan_module found = {.bias = info->dlpi_addr};
	bool executable = !refresh->seen_executable && info->dlpi_name[0] == '\0';

	(void)size;
	find_range(info, &found.begin, &found.end);
	if (found.end == 0)
		return 0;
	refresh->seen_executable |= executable;
	refresh->modules++;
	find_path(info->dlpi_name, executable, found.path);
	find_build_id(info, found.build_id);
	add(&found);
	return 0;
}

int ftsan_modules_refresh(int (*iterate)(ftsan_phdr_callback, void *))
{
	struct refresh refresh = {0};
	int self = ftsan_sys_getpid(), owner = 0;

	if (!atomic_compare_exchange_strong(&refreshing, &owner, self) &&
	    (owner == self || !atomic_compare_exchange_strong(&refreshing, &owner, self)))
		return -EBUSY;
	(void)iterate(take_notice, &refresh);
	atomic_store(&refreshing, 0);
	return (int)refresh.modules;
}

struct ftsan_module *ftsan_module_of(uintptr_t pc)
{
	unsigned count = atomic_load_explicit(&n_entries, memory_order_acquire);

	while (count-- > 0) {
		struct entry *entry = &entries[count];
		uintptr_t end = atomic_load_explicit(&entry->end, memory_order_acquire);

		if (pc < end &&
		    pc >= atomic_load_explicit(&entry->begin, memory_order_relaxed))
			return entry->module;
	}
	return NULL;
}

void ftsan_modules_each(void (*visit)(const struct ftsan_module *module, void *to),
			void *to)
{
	unsigned count = atomic_load_explicit(&n_entries, memory_order_acquire);

	for (unsigned i = 0; i < count; i++)
		if (atomic_load_explicit(&entries[i].end, memory_order_acquire) != 0)
			visit(entries[i].module, to);
}
