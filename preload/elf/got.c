#include "elf/got.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/base.h"

/*
 * struct object - what the loader knows of one object
 * @relro_begin, @relro_end: the pages it made read-only: both ends rounded down, as
 *                           glibc's _dl_protect_relro() does
 * @unlocked: the relro pages are writable just now, by us
 * @finished: the loader has made them read-only (looked at when @attached only)
 */
struct object {
	const struct dl_phdr_info *info;
	uintptr_t bias;
	const Elf64_Sym *symbols;
	const char *strings;
	uint64_t strings_size;
	const Elf64_Rela *tables[2];
	uint64_t table_sizes[2];
	uintptr_t relro_begin, relro_end;
	bool unlocked;
	bool finished;
};

/* struct walk - argument of one dl_iterate_phdr */
struct walk {
	struct ftsan_got *got;
	bool restore;
	uint64_t keep;
	bool changed;
	unsigned index;
	const void *inside;
	unsigned written;
	uint64_t bound;
};

enum verdict { SLOT_LEAVE, SLOT_BOUND, SLOT_WRITE, SLOT_FOREIGN };

/* Most names fail the first letters already; there are tens of thousands of them. */
static const struct ftsan_got_hook *hook_of(const struct ftsan_got *got, const char *name,
					    unsigned *index)
{
	for (unsigned i = 0; i < got->n_hooks; i++) {
		const char *want = got->hooks[i].name;

		if (want[0] == name[0] && want[1] == name[1] && strcmp(want, name) == 0) {
			*index = i;
			return &got->hooks[i];
		}
	}
	return NULL;
}

static bool in_segment(const struct object *object, uintptr_t address, unsigned flag)
{
	for (unsigned i = 0; i < object->info->dlpi_phnum; i++) {
		const Elf64_Phdr *ph = &object->info->dlpi_phdr[i];
		uintptr_t begin = object->bias + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && (ph->p_flags & flag) && address >= begin &&
		    address < begin + ph->p_memsz)
			return true;
	}
	return false;
}

/*
 * A lazy slot holds the address of its own PLT entry. Only an undefined symbol can be
 * told apart like that: a defined one may as well point at its definition.
 */
static enum verdict judge(const struct object *object, const Elf64_Rela *rela,
			  const struct ftsan_got_hook *hook, uintptr_t now, bool restore)
{
	const Elf64_Sym *symbol = &object->symbols[ELF64_R_SYM(rela->r_info)];

	if (!hook->original)
		return SLOT_LEAVE;
	if (now == hook->replacement)
		return restore ? SLOT_WRITE : SLOT_BOUND;
	if (hook->exported && now == hook->exported)
		return restore ? SLOT_LEAVE : SLOT_BOUND;
	if (restore)
		return SLOT_LEAVE;
	if (now == hook->original)
		return SLOT_WRITE;
	if (ELF64_R_TYPE(rela->r_info) == FTSAN_ELF_JUMP_SLOT &&
	    symbol->st_shndx == SHN_UNDEF && in_segment(object, now, PF_X))
		return SLOT_WRITE;
	return SLOT_FOREIGN;
}

/* Has @address memory that is not writable? By the kernel's own list. */
static bool is_readonly(uintptr_t address)
{
	struct ftsan_map_entry entry;

	return ftsan_map_find(address, false, &entry) && entry.access[1] == '-';
}

/* An object without relro pages can't be told; a slot is one store, whoever comes first.
 */
static bool is_busy(const struct walk *walk, struct object *object)
{
	if (!walk->got->attached || object->finished ||
	    object->relro_begin >= object->relro_end)
		return false;
	object->finished = is_readonly(object->relro_begin);
	return !object->finished;
}

static bool make_writable(struct object *object, uintptr_t slot)
{
	if (slot < object->relro_begin || slot >= object->relro_end)
		return in_segment(object, slot, PF_W);
	if (!object->unlocked)
		object->unlocked =
			ftsan_sys_protect((void *)object->relro_begin,
					  object->relro_end - object->relro_begin,
					  PROT_READ | PROT_WRITE) == 0;
	return object->unlocked;
}

static void make_readonly(struct object *object)
{
	if (object->unlocked)
		ftsan_sys_protect((void *)object->relro_begin,
				  object->relro_end - object->relro_begin, PROT_READ);
	object->unlocked = false;
}

static void visit_slot(struct walk *walk, struct object *object, const Elf64_Rela *rela,
		       const struct ftsan_got_hook *hook, unsigned index)
{
	_Atomic uintptr_t *slot = (_Atomic uintptr_t *)(object->bias + rela->r_offset);
	uintptr_t now = atomic_load_explicit(slot, memory_order_relaxed);
	enum verdict verdict = judge(object, rela, hook, now, walk->restore);

	if (verdict == SLOT_WRITE && is_busy(walk, object)) {
		walk->got->busy++;
		return;
	}
	if (verdict == SLOT_FOREIGN)
		walk->got->foreign++;
	if (verdict == SLOT_WRITE) {
		if (!make_writable(object, (uintptr_t)slot)) {
			walk->got->failed++;
			return;
		}
		atomic_store_explicit(slot,
				      walk->restore ? hook->original : hook->replacement,
				      memory_order_relaxed);
		walk->written++;
	}
	if (verdict == SLOT_BOUND || (verdict == SLOT_WRITE && !walk->restore))
		walk->bound |= UINT64_C(1) << index;
}

static void visit_table(struct walk *walk, struct object *object, const Elf64_Rela *table,
			uint64_t size_bytes)
{
	for (uint64_t i = 0; i < size_bytes / sizeof(*table); i++) {
		unsigned type = ELF64_R_TYPE(table[i].r_info);
		const struct ftsan_got_hook *hook;
		uint32_t name;
		unsigned index;

		if (type != FTSAN_ELF_JUMP_SLOT && type != FTSAN_ELF_GLOB_DAT)
			continue;
		name = object->symbols[ELF64_R_SYM(table[i].r_info)].st_name;
		if (name >= object->strings_size)
			continue;
		hook = hook_of(walk->got, object->strings + name, &index);
		if (hook && !(walk->keep >> index & 1))
			visit_slot(walk, object, &table[i], hook, index);
	}
}

/* glibc has relocated these pointers in place, other loaders leave file addresses. */
static const void *dynamic_pointer(const struct object *object, uint64_t value)
{
	return (const void *)(value < object->bias ? value + object->bias : value);
}

static void read_dynamic(struct object *object, const Elf64_Dyn *dynamic)
{
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		uint64_t value = dynamic->d_un.d_val;

		switch (dynamic->d_tag) {
		case DT_SYMTAB:
			object->symbols = dynamic_pointer(object, value);
			break;
		case DT_STRTAB:
			object->strings = dynamic_pointer(object, value);
			break;
		case DT_STRSZ:
			object->strings_size = value;
			break;
		case DT_RELA:
			object->tables[0] = dynamic_pointer(object, value);
			break;
		case DT_RELASZ:
			object->table_sizes[0] = value;
			break;
		case DT_JMPREL: /* always RELA on x86-64 */
			object->tables[1] = dynamic_pointer(object, value);
			break;
		case DT_PLTRELSZ:
			object->table_sizes[1] = value;
			break;
		}
	}
}

static bool read_object(struct object *object, const struct dl_phdr_info *info)
{
	*object = (struct object){.info = info, .bias = info->dlpi_addr};
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *ph = &info->dlpi_phdr[i];
		uintptr_t begin = object->bias + ph->p_vaddr;

		if (ph->p_type == PT_DYNAMIC)
			read_dynamic(object, (const Elf64_Dyn *)begin);
		if (ph->p_type == PT_GNU_RELRO) {
			object->relro_begin = begin & ~(FTSAN_PAGE - 1);
			object->relro_end = (begin + ph->p_memsz) & ~(FTSAN_PAGE - 1);
		}
	}
	return object->symbols && object->strings;
}

/* The loader and the vDSO are no importers; our own calls must reach the originals. */
static bool skipped(const struct object *object)
{
	uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);

	return (object->bias && object->bias == getauxval(AT_BASE)) ||
	       in_segment(object, vdso, PF_R) ||
	       in_segment(object, (uintptr_t)ftsan_got_update, PF_X);
}

static void visit_object(struct walk *walk, const struct dl_phdr_info *info)
{
	struct object object;

	if (!read_object(&object, info) || skipped(&object))
		return;
	if (walk->inside && !in_segment(&object, (uintptr_t)walk->inside, PF_R | PF_W))
		return;
	if (walk->got->skip != NULL &&
	    in_segment(&object, (uintptr_t)walk->got->skip, PF_R | PF_W))
		return;
	walk->bound = 0;
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(object.tables); i++)
		if (object.tables[i])
			visit_table(walk, &object, object.tables[i],
				    object.table_sizes[i]);
	make_readonly(&object);
	for (unsigned i = 0; walk->got->counts && i < walk->got->n_hooks; i++)
		if (walk->bound & (UINT64_C(1) << i))
			atomic_fetch_add_explicit(&walk->got->counts[i], 1,
						  memory_order_relaxed);
}

/*
 * The loader appends to its list, so without a removal the objects that were seen are
 * the first ones. After a removal nothing is known: another object may have taken the
 * same place and address, and everything is looked at again.
 */
static bool first_object(struct walk *walk, const struct dl_phdr_info *info)
{
	struct ftsan_got *got = walk->got;

	if (got->n_seen && got->adds == info->dlpi_adds && got->subs == info->dlpi_subs)
		return false;
	if (got->subs != info->dlpi_subs) {
		got->n_seen = 0;
		got->foreign = 0;
		for (unsigned i = 0; i < got->n_hooks; i++)
			atomic_store_explicit(&got->counts[i], 0, memory_order_relaxed);
	}
	got->adds = info->dlpi_adds;
	got->subs = info->dlpi_subs;
	walk->changed = true;
	return true;
}

static int on_update(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct walk *walk = argument;

	(void)size;
	if (walk->index == 0 && !first_object(walk, info))
		return 1;
	if (walk->index++ < walk->got->n_seen)
		return 0;
	visit_object(walk, info);
	return 0;
}

static int on_every_object(struct dl_phdr_info *info, size_t size, void *argument)
{
	(void)size;
	visit_object(argument, info);
	return 0;
}

bool ftsan_got_update(struct ftsan_got *got)
{
	struct walk walk = {.got = got};

	got->busy = 0;
	dl_iterate_phdr(on_update, &walk);
	if (walk.changed)
		got->n_seen = walk.index;
	return walk.changed;
}

void ftsan_got_forget(struct ftsan_got *got)
{
	got->n_seen = 0;
	got->foreign = 0;
	for (unsigned i = 0; i < got->n_hooks; i++)
		atomic_store_explicit(&got->counts[i], 0, memory_order_relaxed);
}

void ftsan_got_restore(struct ftsan_got *got, uint64_t keep)
{
	struct walk walk = {.got = got, .restore = true, .keep = keep};

	dl_iterate_phdr(on_every_object, &walk);
	ftsan_got_forget(got);
}

unsigned ftsan_got_redirect(const void *inside, const struct ftsan_got_hook *hook)
{
	struct ftsan_got one = {.hooks = hook, .n_hooks = 1};
	struct walk walk = {.got = &one, .inside = inside};

	dl_iterate_phdr(on_every_object, &walk);
	return walk.written;
}
