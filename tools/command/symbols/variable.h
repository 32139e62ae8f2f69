/* Static variables: which one holds an address of a file, and which part of it. */
#ifndef FTSAN_TOOLS_VARIABLE_H
#define FTSAN_TOOLS_VARIABLE_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>

/**
 * struct ftsan_variable - what was found
 * @name: of the symbol, mangled or not; the file's
 * @part: ".code_cache.count", "[3]"; "" for one that is no more than a word, and where
 *        nothing says what it is made of; owned
 * @into: bytes from its beginning
 */
struct ftsan_variable {
	const char *name;
	char *part;
	GElf_Addr into;
};

/**
 * ftsan_variable_find() - the symbol that holds an address
 * @address: as libdwfl has it
 *
 * The part is told by debug information.
 * Return: true, and @variable is to be released; false: between symbols.
 */
bool ftsan_variable_find(struct ftsan_variable *variable, Dwfl_Module *handle,
			 GElf_Addr address);
void ftsan_variable_release(struct ftsan_variable *variable);

#endif
