#include "attach/elf_image.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"

enum { DYNAMIC_MAX = 256, CAVE_ALIGNMENT = 16 };

static bool read_at(const struct ftsan_elf_image *image, uint64_t address, void *to,
		    size_t size)
{
	return image->read(image->argument, address, to, size);
}

/* glibc has relocated these pointers in place, others leave file addresses. */
static uint64_t pointer(const struct ftsan_elf_image *image, uint64_t value)
{
	return value < image->bias ? value + image->bias : value;
}

static void read_dynamic(struct ftsan_elf_image *image, uint64_t address)
{
	Elf64_Dyn entry;

	for (unsigned i = 0; i < DYNAMIC_MAX; i++, address += sizeof(entry)) {
		if (!read_at(image, address, &entry, sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			return;
		if (entry.d_tag == DT_SYMTAB)
			image->symbols = pointer(image, entry.d_un.d_ptr);
		else if (entry.d_tag == DT_STRTAB)
			image->strings = pointer(image, entry.d_un.d_ptr);
		else if (entry.d_tag == DT_STRSZ)
			image->strings_size = entry.d_un.d_val;
		else if (entry.d_tag == DT_GNU_HASH)
			image->hash = pointer(image, entry.d_un.d_ptr);
	}
}

static int read_headers(struct ftsan_elf_image *image, uint64_t begin)
{
	Elf64_Ehdr head;

	if (!read_at(image, begin, &head, sizeof(head)) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_machine != FTSAN_ELF_MACHINE ||
	    head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum > FTSAN_ELF_HEADERS)
		return -ENOEXEC;
	image->n_headers = head.e_phnum;
	if (!read_at(image, begin + head.e_phoff, image->headers,
		     head.e_phnum * sizeof(Elf64_Phdr)))
		return -ENOEXEC;
	for (unsigned i = 0; i < image->n_headers; i++) {
		const Elf64_Phdr *header = &image->headers[i];

		if (header->p_type == PT_LOAD && header->p_offset == 0)
			image->bias = begin - header->p_vaddr;
	}
	return 0;
}

int ftsan_elf_image_open(struct ftsan_elf_image *image, ftsan_elf_read read,
			 void *argument, uint64_t begin)
{
	*image = (struct ftsan_elf_image){.read = read, .argument = argument};
	if (read_headers(image, begin) != 0)
		return -ENOEXEC;
	for (unsigned i = 0; i < image->n_headers; i++)
		if (image->headers[i].p_type == PT_DYNAMIC)
			read_dynamic(image, image->bias + image->headers[i].p_vaddr);
	return image->symbols != 0 && image->strings != 0 && image->hash != 0 ? 0
									      : -ENOEXEC;
}

/* --- symbols ------------------------------------------------------------------------ */

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name != '\0'; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static bool is_named(const struct ftsan_elf_image *image, const Elf64_Sym *symbol,
		     const char *name)
{
	char found[64];
	size_t size = strlen(name) + 1;

	return size <= sizeof(found) && symbol->st_name + size <= image->strings_size &&
	       read_at(image, image->strings + symbol->st_name, found, size) &&
	       memcmp(found, name, size) == 0;
}

static bool is_defined(const Elf64_Sym *symbol)
{
	return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 &&
	       ELF64_ST_TYPE(symbol->st_info) != STT_GNU_IFUNC &&
	       ELF64_ST_TYPE(symbol->st_info) != STT_TLS;
}

/* Along the chain of a bucket of DT_GNU_HASH: {buckets, first symbol, words of the Bloom
 * filter, shift}, the filter, the buckets, the chains. */
static uint64_t search_chain(const struct ftsan_elf_image *image, uint64_t chains,
			     uint32_t first, uint32_t index, const char *name)
{
	uint32_t wanted = hash_of(name), hash;

	for (; index >= first; index++) {
		Elf64_Sym symbol;

		if (!read_at(image, chains + (uint64_t)(index - first) * 4, &hash, 4) ||
		    !read_at(image, image->symbols + (uint64_t)index * sizeof(symbol),
			     &symbol, sizeof(symbol)))
			return 0;
		if ((hash | 1) == (wanted | 1) && is_defined(&symbol) &&
		    is_named(image, &symbol, name))
			return image->bias + symbol.st_value;
		if (hash & 1)
			return 0;
	}
	return 0;
}

uint64_t ftsan_elf_image_symbol(const struct ftsan_elf_image *image, const char *name)
{
	uint32_t head[4], index;
	uint64_t buckets;

	if (!read_at(image, image->hash, head, sizeof(head)) || head[0] == 0)
		return 0;
	buckets = image->hash + sizeof(head) + (uint64_t)head[2] * 8;
	if (!read_at(image, buckets + hash_of(name) % head[0] * (uint64_t)4, &index, 4) ||
	    index == 0)
		return 0;
	return search_chain(image, buckets + (uint64_t)head[0] * 4, head[1], index, name);
}

/* --- room --------------------------------------------------------------------------- */

uint64_t ftsan_elf_image_cave(const struct ftsan_elf_image *image, size_t size)
{
	for (unsigned i = 0; i < image->n_headers; i++) {
		const Elf64_Phdr *header = &image->headers[i];
		uint64_t end, page_end;

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) ||
		    (header->p_flags & PF_W) || header->p_filesz != header->p_memsz)
			continue;
		end = header->p_vaddr + header->p_memsz;
		page_end = (end + FTSAN_PAGE - 1) & ~(uint64_t)(FTSAN_PAGE - 1);
		end = (end + CAVE_ALIGNMENT - 1) & ~(uint64_t)(CAVE_ALIGNMENT - 1);
		if (end + size <= page_end)
			return image->bias + end;
	}
	return 0;
}
