/* A loaded ELF object of another process, read from that process's memory: its file may
 * have been replaced since. */
#ifndef FTSAN_TOOLS_ELF_IMAGE_H
#define FTSAN_TOOLS_ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads @size bytes at @address; false: not all are there. */
typedef bool (*ftsan_elf_read)(void *argument, uint64_t address, void *to, size_t size);

enum { FTSAN_ELF_HEADERS = 32 };

/* struct ftsan_elf_image - @bias: load address minus link address */
struct ftsan_elf_image {
	ftsan_elf_read read;
	void *argument;
	uint64_t bias;
	Elf64_Phdr headers[FTSAN_ELF_HEADERS];
	unsigned n_headers;
	uint64_t symbols, strings, strings_size, hash;
};

/**
 * ftsan_elf_image_open() - look at the headers
 * @begin: where the file's first page is
 * Return: 0; -ENOEXEC: no 64-bit ELF object of x86-64 with a table of symbols.
 */
int ftsan_elf_image_open(struct ftsan_elf_image *image, ftsan_elf_read read,
			 void *argument, uint64_t begin);

/* Address of what the object itself defines under that name; 0: nothing. */
uint64_t ftsan_elf_image_symbol(const struct ftsan_elf_image *image, const char *name);

/* Address of @size executable bytes behind the end of the code; 0: there are none. */
uint64_t ftsan_elf_image_cave(const struct ftsan_elf_image *image, size_t size);

#endif
