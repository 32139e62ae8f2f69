/* What is mapped where, by the kernel's own list. */
#ifndef FTSAN_BASE_MAP_H
#define FTSAN_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct ftsan_map_entry - one line of /proc/self/maps
 * @access: "rw-p"
 * @name:   path, "[heap]" or the like, "" for anonymous memory; cut to fit
 */
struct ftsan_map_entry {
	uintptr_t begin, end;
	char access[5];
	char name[384];
};

/*
 * The mapping that holds @address, or else (@above) the next one. Reads all lines before
 * it: for reports. Async-signal-safe, 3 KiB of stack. Return: false: there is none.
 */
bool ftsan_map_find(uintptr_t address, bool above, struct ftsan_map_entry *out);

#endif
