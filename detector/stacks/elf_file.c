#include "stacks/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/base.h"

/* Larger than any real file's; bounds the work that garbage can cause. */
#define SECTIONS_MAX 4096u
#define NOTES_MAX_BYTES 1024u
#define SYMBOLS_AT_ONCE 128u
#define INTERRUPTS_MAX 100u
#define COMMENT_BYTES 256u

static bool read_at(int fd, void *to, size_t size_bytes, uint64_t offset)
{
	char *out = to;
	unsigned interrupts = 0;

	while (size_bytes > 0) {
		ssize_t got = ftsan_sys_pread(fd, out, size_bytes, offset);

		if (got == -EINTR && ++interrupts < INTERRUPTS_MAX)
			continue;
		if (got <= 0)
			return false;
		out += got;
		offset += (uint64_t)got;
		size_bytes -= (size_t)got;
	}
	return true;
}

static bool read_header(int fd, Elf64_Ehdr *header)
{
	return read_at(fd, header, sizeof(*header), 0) &&
	       memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB;
}

static void put_hex(const unsigned char *bytes, size_t size_bytes, char *hex,
		    size_t capacity)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < size_bytes && at + 2 < capacity; i++) {
		hex[at++] = digits[bytes[i] >> 4];
		hex[at++] = digits[bytes[i] & 15];
	}
	hex[at] = '\0';
}

static uint64_t round_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

bool ftsan_elf_build_id(const unsigned char *notes, size_t size_bytes, uint64_t align,
			char *hex, size_t capacity_bytes)
{
	uint64_t at = 0;

	align = align == 8 ? 8 : 4;
	hex[0] = '\0';
	while (at + sizeof(Elf64_Nhdr) <= size_bytes) {
		Elf64_Nhdr note;
		uint64_t name, content;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		content = round_up(name + note.n_namesz, align);
		if (content + note.n_descsz > size_bytes)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
		    memcmp(notes + name, "GNU", sizeof("GNU")) == 0) {
			put_hex(notes + content, note.n_descsz, hex, capacity_bytes);
			return true;
		}
		at = round_up(content + note.n_descsz, align);
	}
	return false;
}

bool ftsan_elf_file_build_id(int fd, char *hex, size_t capacity_bytes)
{
	unsigned char notes[NOTES_MAX_BYTES];
	Elf64_Ehdr header;

	hex[0] = '\0';
	if (!read_header(fd, &header) || header.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		size_t size;

		if (!read_at(fd, &segment, sizeof(segment),
			     header.e_phoff + i * sizeof(segment)))
			return false;
		if (segment.p_type != PT_NOTE)
			continue;
		size = segment.p_filesz < sizeof(notes) ? segment.p_filesz
							: sizeof(notes);
		if (read_at(fd, notes, size, segment.p_offset) &&
		    ftsan_elf_build_id(notes, size, segment.p_align, hex, capacity_bytes))
			return true;
	}
	return false;
}

/* find_table() - the section header of the first symbol table of a type */
static bool find_table(int fd, const Elf64_Ehdr *header, uint32_t type, Elf64_Shdr *table,
		       Elf64_Shdr *strings)
{
	unsigned count = header->e_shnum < SECTIONS_MAX ? header->e_shnum : SECTIONS_MAX;

	if (header->e_shentsize != sizeof(*table))
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (!read_at(fd, table, sizeof(*table),
			     header->e_shoff + i * sizeof(*table)))
			return false;
		if (table->sh_type == type)
			return table->sh_link < count &&
			       read_at(fd, strings, sizeof(*strings),
				       header->e_shoff +
					       table->sh_link * sizeof(*strings));
	}
	return false;
}

static bool is_function(const Elf64_Sym *symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       symbol->st_shndx != SHN_UNDEF;
}

static int rank(const Elf64_Sym *symbol)
{
	switch (ELF64_ST_BIND(symbol->st_info)) {
	case STB_GLOBAL:
		return 2;
	case STB_WEAK:
		return 1;
	default:
		return 0;
	}
}

/* better() - does @b answer for @address rather than @a? Both start at or before it. */
static bool better(const Elf64_Sym *a, const Elf64_Sym *b, uint64_t address)
{
	bool a_covers = a->st_size > address - a->st_value;
	bool b_covers = b->st_size > address - b->st_value;

	if (a_covers != b_covers)
		return b_covers;
	if (a->st_value != b->st_value)
		return b->st_value > a->st_value;
	/* Among those that don't cover, a size proves that the address is outside. */
	if (!a_covers && (a->st_size == 0) != (b->st_size == 0))
		return a->st_size == 0;
	return rank(b) > rank(a);
}

static bool is_object(const Elf64_Sym *symbol)
{
	return ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT &&
	       symbol->st_shndx != SHN_UNDEF;
}

static bool search_table(int fd, const Elf64_Shdr *table, uint64_t address,
			 bool (*is_kind)(const Elf64_Sym *), Elf64_Sym *best)
{
	Elf64_Sym some[SYMBOLS_AT_ONCE];
	uint64_t left = table->sh_size / sizeof(*some), offset = table->sh_offset;
	bool found = false;

	while (left > 0) {
		size_t count = left < SYMBOLS_AT_ONCE ? left : SYMBOLS_AT_ONCE;

		if (!read_at(fd, some, count * sizeof(*some), offset))
			return false;
		for (size_t i = 0; i < count; i++) {
			if (!is_kind(&some[i]) || some[i].st_value > address)
				continue;
			if (!found || better(best, &some[i], address))
				*best = some[i];
			found = true;
		}
		left -= count;
		offset += count * sizeof(*some);
	}
	return found;
}

/* covers() - is the address in the function, or (no size) at least in its section? */
static bool covers(int fd, const Elf64_Ehdr *header, const Elf64_Sym *function,
		   uint64_t address)
{
	Elf64_Shdr section;

	if (function->st_size != 0)
		return function->st_size > address - function->st_value;
	return function->st_shndx < header->e_shnum &&
	       read_at(fd, &section, sizeof(section),
		       header->e_shoff + function->st_shndx * sizeof(section)) &&
	       address - section.sh_addr < section.sh_size;
}

static bool read_name(int fd, const Elf64_Shdr *strings, uint32_t index, char *name,
		      size_t capacity)
{
	size_t length;

	if (index >= strings->sh_size)
		return false;
	length = strings->sh_size - index;
	if (length > capacity)
		length = capacity;
	if (!read_at(fd, name, length, strings->sh_offset + index))
		return false;
	name[length - 1] = '\0';
	return name[0] != '\0';
}

/* struct kind - what is looked for, and whether the best one holds the address */
struct kind {
	bool (*is_kind)(const Elf64_Sym *symbol);
	bool (*holds)(int fd, const Elf64_Ehdr *header, const Elf64_Sym *symbol,
		      uint64_t address);
};

/* The symbol's value goes to @begin. */
static int symbol_at(int fd, uint64_t address, const struct kind *kind, char *name,
		     size_t capacity_bytes, uint64_t *begin)
{
	static const uint32_t types[] = {SHT_SYMTAB, SHT_DYNSYM};
	Elf64_Ehdr header;

	name[0] = '\0';
	if (!read_header(fd, &header))
		return -ENOENT;
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(types); i++) {
		Elf64_Shdr table, strings;
		Elf64_Sym best;

		if (find_table(fd, &header, types[i], &table, &strings) &&
		    search_table(fd, &table, address, kind->is_kind, &best) &&
		    kind->holds(fd, &header, &best, address) &&
		    read_name(fd, &strings, best.st_name, name, capacity_bytes)) {
			*begin = best.st_value;
			return 0;
		}
	}
	name[0] = '\0';
	return -ENOENT;
}

int ftsan_elf_function_at(int fd, uint64_t address, char *name, size_t capacity_bytes)
{
	static const struct kind function = {is_function, covers};
	uint64_t begin;

	return symbol_at(fd, address, &function, name, capacity_bytes, &begin);
}

/* Without a size it may be anything. */
static bool is_inside(int fd, const Elf64_Ehdr *header, const Elf64_Sym *object,
		      uint64_t address)
{
	(void)fd;
	(void)header;
	return object->st_size > address - object->st_value;
}

int ftsan_elf_object_at(int fd, uint64_t address, char *name, size_t capacity_bytes,
			uint64_t *into)
{
	static const struct kind object = {is_object, is_inside};
	uint64_t begin;
	int error = symbol_at(fd, address, &object, name, capacity_bytes, &begin);

	if (error == 0)
		*into = address - begin;
	return error;
}

static bool is_comment(int fd, const Elf64_Shdr *names, const Elf64_Shdr *section)
{
	static const char wanted[] = ".comment";
	char name[sizeof(wanted)];

	return section->sh_type == SHT_PROGBITS && section->sh_name < names->sh_size &&
	       read_at(fd, name, sizeof(name), names->sh_offset + section->sh_name) &&
	       memcmp(name, wanted, sizeof(name)) == 0;
}

/* file_comment() - at most @capacity_bytes - 1 of it; NULs between the entries become
 * newlines. False: there is none. */
static bool file_comment(int fd, char *text, size_t capacity_bytes)
{
	Elf64_Ehdr header;
	Elf64_Shdr names, section;
	unsigned count;

	text[0] = '\0';
	if (!read_header(fd, &header) || header.e_shentsize != sizeof(section) ||
	    !read_at(fd, &names, sizeof(names),
		     header.e_shoff + header.e_shstrndx * sizeof(names)))
		return false;
	count = header.e_shnum < SECTIONS_MAX ? header.e_shnum : SECTIONS_MAX;
	for (unsigned i = 0; i < count; i++) {
		size_t size;

		if (!read_at(fd, &section, sizeof(section),
			     header.e_shoff + i * sizeof(section)))
			return false;
		if (!is_comment(fd, &names, &section))
			continue;
		size = section.sh_size < capacity_bytes - 1 ? section.sh_size
							    : capacity_bytes - 1;
		if (!read_at(fd, text, size, section.sh_offset))
			return false;
		for (size_t at = 0; at < size; at++)
			if (text[at] == '\0')
				text[at] = '\n';
		text[size] = '\0';
		return true;
	}
	return false;
}

bool ftsan_elf_folds_atomics(const char *path)
{
	char text[COMMENT_BYTES];
	int fd = ftsan_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
	bool known;

	if (fd < 0)
		return true;
	known = file_comment(fd, text, sizeof(text));
	(void)ftsan_sys_close(fd);
	return !known || strstr(text, "GCC:") == NULL || strstr(text, "clang") != NULL ||
	       strstr(text, "rustc") != NULL || strstr(text, "LLVM") != NULL;
}
