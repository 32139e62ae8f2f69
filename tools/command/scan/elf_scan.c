#include "scan/elf_scan.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"

enum {
	SECTIONS_MAX = 4096,
	SYMBOLS_AT_ONCE = 512,
	STRINGS_MAX = 64 << 20,
	PIECE = 1 << 20,
	NAME_MAX_BYTES = 64, /* of what is looked for; pieces overlap by as much */
};
static const uint64_t DATA_MAX = 256u << 20;

/* struct image - an open file; @data_left: bytes that may still be looked through */
struct image {
	int fd;
	uint64_t size;
	uint64_t data_left;
	Elf64_Shdr *sections;
	unsigned n_sections;
};

/* All of @length bytes, or -EBADMSG: the file ends before. */
static int read_at(const struct image *image, uint64_t offset, void *to, size_t length)
{
	char *out = to;

	if (offset > image->size || length > image->size - offset)
		return -EBADMSG;
	while (length > 0) {
		ssize_t n = pread(image->fd, out, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG; /* cut short meanwhile */
		out += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

static int read_header(struct image *image, Elf64_Ehdr *header,
		       struct ftsan_elf_facts *facts)
{
	int error;

	if (image->size < EI_NIDENT)
		return -ENOEXEC;
	error = read_at(image, 0, header->e_ident, EI_NIDENT);
	if (error != 0)
		return error;
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	if (header->e_ident[EI_CLASS] == ELFCLASSNONE ||
	    header->e_ident[EI_CLASS] >= ELFCLASSNUM)
		return -EBADMSG;
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB)
		return 0;
	error = read_at(image, 0, header, sizeof(*header));
	if (error == 0 && header->e_machine == EM_NONE)
		return -EBADMSG;
	facts->native = error == 0 && header->e_machine == FTSAN_ELF_MACHINE;
	return error;
}

static int read_sections(struct image *image, const Elf64_Ehdr *header)
{
	if (header->e_shoff == 0 || header->e_shnum == 0 ||
	    header->e_shnum > SECTIONS_MAX || header->e_shentsize != sizeof(Elf64_Shdr))
		return -EBADMSG;
	image->n_sections = header->e_shnum;
	image->sections = ftsan_xcalloc(image->n_sections, sizeof(Elf64_Shdr));
	return read_at(image, header->e_shoff, image->sections,
		       image->n_sections * sizeof(Elf64_Shdr));
}

static void note_symbol(struct ftsan_elf_facts *facts, const Elf64_Sym *symbol,
			const char *name)
{
	bool imported = symbol->st_shndx == SHN_UNDEF;

	if (!imported && strncmp(name, "PyInit_", 7) == 0)
		facts->module = true;
	if (imported && strncmp(name, "PyMem_", 6) == 0)
		facts->pymem = true;
	if (imported && strcmp(name, "PyFrame_New") == 0)
		facts->frame_new = true;
}

/* @strings: @length bytes, and a NUL behind them */
static int look_at_symbols(const struct image *image, const Elf64_Shdr *section,
			   const char *strings, size_t length,
			   struct ftsan_elf_facts *facts)
{
	Elf64_Sym symbols[SYMBOLS_AT_ONCE] = {0};
	uint64_t left = section->sh_size / sizeof(*symbols);
	uint64_t offset = section->sh_offset;

	while (left > 0) {
		size_t n = left < SYMBOLS_AT_ONCE ? (size_t)left : SYMBOLS_AT_ONCE;
		int error = read_at(image, offset, symbols, n * sizeof(*symbols));

		if (error != 0)
			return error;
		for (size_t i = 0; i < n; i++)
			if (symbols[i].st_name < length)
				note_symbol(facts, &symbols[i],
					    strings + symbols[i].st_name);
		left -= n;
		offset += n * sizeof(*symbols);
	}
	return 0;
}

static int read_symbols(const struct image *image, const Elf64_Shdr *section,
			struct ftsan_elf_facts *facts)
{
	const Elf64_Shdr *names;
	char *strings;
	int error;

	if (section->sh_entsize != sizeof(Elf64_Sym) ||
	    section->sh_link >= image->n_sections)
		return -EBADMSG;
	names = &image->sections[section->sh_link];
	if (names->sh_size > STRINGS_MAX || names->sh_size > image->size)
		return -EBADMSG;
	strings = ftsan_xcalloc(1, names->sh_size + 1);
	error = read_at(image, names->sh_offset, strings, names->sh_size);
	if (error == 0)
		error = look_at_symbols(image, section, strings, names->sh_size, facts);
	free(strings);
	return error;
}

bool ftsan_cython_version(const char *text, size_t length, char *to, size_t capacity)
{
	static const char *const stages[] = {"a", "b", "rc", "dev"};
	size_t at = 0, used = 0, numbers = 0;

	*to = '\0';
	while (at < length && isdigit((unsigned char)text[at]) && numbers < 3) {
		while (at < length && isdigit((unsigned char)text[at]) &&
		       used + 1 < capacity)
			to[used++] = text[at++];
		numbers++;
		if (at + 1 >= length || text[at] != '_' || numbers == 3 ||
		    !isdigit((unsigned char)text[at + 1]) || used + 1 >= capacity)
			break;
		to[used++] = '.';
		at++;
	}
	for (size_t i = 0; numbers >= 2 && i < sizeof(stages) / sizeof(*stages); i++) {
		size_t word = strlen(stages[i]);

		/* A number has to follow: "b" alone may be the next word's. */
		if (at + word >= length || memcmp(text + at, stages[i], word) != 0 ||
		    !isdigit((unsigned char)text[at + word]) ||
		    used + word + 1 >= capacity)
			continue;
		memcpy(to + used, stages[i], word);
		used += word;
		at += word;
		while (at < length && isdigit((unsigned char)text[at]) &&
		       used + 1 < capacity)
			to[used++] = text[at++];
		break;
	}
	to[numbers >= 2 ? used : 0] = '\0';
	return numbers >= 2;
}

/* A module without functions of its own, or of an early version, has no other mark. */
static void note_runtime(const char *piece, size_t length, struct ftsan_elf_facts *facts)
{
	static const char mark[] = "cython_runtime";

	if (memmem(piece, length, mark, sizeof(mark) - 1) != NULL)
		strcpy(facts->cython, "unknown");
}

static bool find_cython(const char *piece, size_t length, struct ftsan_elf_facts *facts)
{
	static const char mark[] = "_cython_";
	const size_t mark_length = sizeof(mark) - 1;
	const char *at = piece, *end = piece + length;

	while ((at = memmem(at, (size_t)(end - at), mark, mark_length)) != NULL) {
		char version[sizeof(facts->cython)];

		at += mark_length;
		if (!ftsan_cython_version(at, (size_t)(end - at), version,
					  sizeof(version)))
			continue;
		memcpy(facts->cython, version, sizeof(version));
		return true;
	}
	note_runtime(piece, length, facts);
	return false;
}

/* The pieces overlap, so that no name is cut in two. */
static int search_section(struct image *image, const Elf64_Shdr *section, char *piece,
			  struct ftsan_elf_facts *facts, bool *found)
{
	uint64_t offset = section->sh_offset, left = section->sh_size;

	while (left > 0 && image->data_left > 0) {
		size_t n = left < PIECE ? (size_t)left : PIECE;
		size_t step = n < PIECE ? n : n - NAME_MAX_BYTES;
		int error = read_at(image, offset, piece, n);

		if (error != 0)
			return error;
		*found = find_cython(piece, n, facts);
		if (*found)
			return 0;
		image->data_left -= step < image->data_left ? step : image->data_left;
		offset += step;
		left -= step;
	}
	return 0;
}

static bool is_data(const Elf64_Shdr *section)
{
	return section->sh_type == SHT_PROGBITS && (section->sh_flags & SHF_ALLOC) != 0 &&
	       (section->sh_flags & SHF_EXECINSTR) == 0;
}

static int look_at_sections(struct image *image, struct ftsan_elf_facts *facts)
{
	char *piece = ftsan_xcalloc(1, PIECE);
	bool found = false;
	int error = 0;

	for (unsigned i = 0; i < image->n_sections && error == 0; i++)
		if (image->sections[i].sh_type == SHT_DYNSYM)
			error = read_symbols(image, &image->sections[i], facts);
	for (unsigned i = 0; i < image->n_sections && error == 0 && !found; i++)
		if (facts->module && is_data(&image->sections[i]))
			error = search_section(image, &image->sections[i], piece, facts,
					       &found);
	free(piece);
	return error;
}

int ftsan_elf_scan(int fd, struct ftsan_elf_facts *facts)
{
	struct image image = {.fd = fd, .data_left = DATA_MAX};
	Elf64_Ehdr header;
	struct stat status;
	int error;

	memset(facts, 0, sizeof(*facts));
	if (fstat(fd, &status) != 0)
		return -errno;
	image.size = (uint64_t)status.st_size;
	error = read_header(&image, &header, facts);
	if (error == 0 && facts->native)
		error = read_sections(&image, &header);
	if (error == 0 && facts->native)
		error = look_at_sections(&image, facts);
	free(image.sections);
	return error;
}
