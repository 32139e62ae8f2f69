/* What is loaded in a process. */
#ifndef FTSAN_TOOLS_TARGET_OBJECTS_H
#define FTSAN_TOOLS_TARGET_OBJECTS_H

#include "attach/target_proc.h"

/**
 * ftsan_target_symbol() - a function or object that a loaded object exports
 * @object: start of the object's path's last component ("libc.so."); NULL: any object
 *
 * Return: its address in the process, 0: not there.
 */
uint64_t ftsan_target_symbol(const struct ftsan_target *target, const char *object,
			     const char *name);

/*
 * Where @size bytes can be executed that no code is at: behind the end of some object's
 * code, on its last page. 0: nowhere.
 */
uint64_t ftsan_target_cave(const struct ftsan_target *target, size_t size);

/* The mapping that holds an address, NULL: none. */
const struct ftsan_mapping *ftsan_target_mapping(const struct ftsan_target *target,
						 uint64_t address);

/* --- for target.c --- */

int ftsan_target_read_mappings(struct ftsan_target *target);

/* Sets @python and what belongs to it, if there is one. */
void ftsan_target_find_python(struct ftsan_target *target);

#endif
