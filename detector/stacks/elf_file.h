/*
 * What an ELF64 file says of itself. Read with pread(2) in pieces: nothing is mapped or
 * allocated, and a file that is cut short or garbage meanwhile yields "not found".
 *
 * Context: any thread, async-signal-safe, about 6 KiB of stack.
 */
#ifndef FTSAN_ELF_FILE_H
#define FTSAN_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * ftsan_elf_build_id() - the build-id in a PT_NOTE segment's bytes
 * @notes:      the segment's content
 * @size_bytes: its length
 * @align:      p_align: 8 for some segments of property notes, 4 otherwise
 * @hex:        @capacity_bytes; NUL-terminated, empty when there is none
 *
 * Pure. Return: whether there is one (an id that is too long is cut to fit).
 */
bool ftsan_elf_build_id(const unsigned char *notes, size_t size_bytes, uint64_t align,
			char *hex, size_t capacity_bytes);

/* The build-id of an open file, as above; false when it has none or is no ELF64 file. */
bool ftsan_elf_file_build_id(int fd, char *hex, size_t capacity_bytes);

/**
 * ftsan_elf_function_at() - the function that holds an address of the file
 * @fd:      open for reading
 * @address: link-time address
 * @name:    @capacity_bytes; cut to fit, NUL-terminated
 *
 * .symtab first, then .dynsym. The function with the greatest start that is not past
 * @address and whose size covers it; where none does, the nearest one without a size
 * (assembly) in the same section, unless a function with a size lies in between. Of
 * several names for one function a global one wins over a weak over a local one.
 *
 * Return: 0, or -ENOENT.
 */
int ftsan_elf_function_at(int fd, uint64_t address, char *name, size_t capacity_bytes);

/*
 * The variable that holds an address of the file, by the same tables; @into: bytes from
 * its start. Only one whose size covers the address. Return: 0, or -ENOENT.
 */
int ftsan_elf_object_at(int fd, uint64_t address, char *name, size_t capacity_bytes,
			uint64_t *into);

/*
 * Was it made by a compiler that folds relaxed atomics into arithmetic (clang, rustc), by
 * what they say of themselves in it? Where they say nothing it may be so.
 */
bool ftsan_elf_folds_atomics(const char *path);

#endif
