/* The ELF file of a module that ran, found by its path, by its build id, or by both. */
#ifndef FTSAN_TOOLS_SYMBOLIZE_FILE_H
#define FTSAN_TOOLS_SYMBOLIZE_FILE_H

#include <elfutils/libdwfl.h>

#include "symbols/symbolizer_options.h"

/**
 * struct ftsan_symbol_file - a module's file
 * @handle: NULL when there is none to be used
 * @bias:   what libdwfl adds to the file's own addresses
 * @stale:  NULL, or a sentence about a file that has another build id and no other was
 *          found; owned
 */
struct ftsan_symbol_file {
	Dwfl *dwfl;
	Dwfl_Module *handle;
	GElf_Addr bias;
	char *stale;
};

/**
 * ftsan_symbol_file_open() - find it
 * @callbacks: for libdwfl; live as long as @file
 * @path:      absolute, of the machine that ran it
 * @build_id:  NULL when the log does not say
 */
void ftsan_symbol_file_open(struct ftsan_symbol_file *file,
			    const Dwfl_Callbacks *callbacks,
			    const struct ftsan_symbolizer_options *options,
			    const char *path, const char *build_id);
void ftsan_symbol_file_close(struct ftsan_symbol_file *file);

#endif
