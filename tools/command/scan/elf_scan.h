/* What an extension module's file says of who built it and what it imports. */
#ifndef FTSAN_TOOLS_ELF_SCAN_H
#define FTSAN_TOOLS_ELF_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct ftsan_elf_facts - one file
 * @native:    for the processors that ftsan knows
 * @module:    exports a PyInit_ function
 * @pymem:     imports PyMem_ functions: that is where guarded buffers come from
 * @frame_new: imports PyFrame_New
 * @cython:    version that generated it, as "3.1.0a1", or "unknown"; empty when none did
 */
struct ftsan_elf_facts {
	bool native;
	bool module;
	bool pymem;
	bool frame_new;
	char cython[32];
};

/**
 * ftsan_elf_scan() - look at a file
 * @fd: open for reading
 *
 * The file is foreign: it is read with pread(2) in pieces, no length in it is believed,
 * and no more than 256 MiB of its data are looked through. A development build of Cython
 * has the version of the release before it.
 *
 * Return: 0; -ENOEXEC when it is no ELF file, -EBADMSG when it is damaged (or has no
 *         section headers), or why it can't be read.
 */
int ftsan_elf_scan(int fd, struct ftsan_elf_facts *facts);

/**
 * ftsan_cython_version() - the version in a name like "_cython_3_1_0a1nofreelists"
 * @text: what follows "_cython_", @length bytes
 * @to:   @capacity bytes, at least 1
 *
 * Pure. Return: whether there is one.
 */
bool ftsan_cython_version(const char *text, size_t length, char *to, size_t capacity);

#endif
