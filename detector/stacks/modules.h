/*
 * The modules that are loaded. The table is rebuilt in normal context (start-up, after
 * dlopen and dlclose) and read from signal handlers without a lock.
 */
#ifndef FTSAN_MODULES_H
#define FTSAN_MODULES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FTSAN_PATH_MAX = 512,
	FTSAN_BUILD_ID_HEX = 41, /* 20 bytes in hex and a NUL */
};

struct dl_phdr_info;
typedef int (*ftsan_phdr_callback)(struct dl_phdr_info *info, size_t size,
				   void *argument);

/**
 * struct ftsan_module - one loaded ELF object
 * @path:     as the loader knows it, made absolute for the executable
 * @build_id: lower-case hex, empty when the object has none
 * @bias:     load address minus link address; pc - bias is the file's own address
 * @begin:    lowest mapped address of its PT_LOAD segments
 * @end:      one past the highest
 * @logged:   number of the log that has its `module` record (the log's writer sets it)
 * @imported: the interpreter was seen to make an extension module of it
 */
struct ftsan_module {
	char path[FTSAN_PATH_MAX];
	char build_id[FTSAN_BUILD_ID_HEX];
	uintptr_t bias;
	uintptr_t begin;
	uintptr_t end;
	_Atomic uint32_t logged;
	_Atomic bool imported;
};

/**
 * ftsan_modules_refresh() - take notice of loaded and unloaded objects
 * @iterate: dl_iterate_phdr, or a test's
 *
 * Context: normal context only (the loader's lock); one caller at a time, the others
 *          return at once with -EBUSY.
 * Return:  number of modules known, or -errno. Entries of unloaded objects stay until
 *          their addresses are taken by another object, so that old program counters
 *          still resolve.
 */
int ftsan_modules_refresh(int (*iterate)(ftsan_phdr_callback, void *));

/* The module that holds @pc, or NULL. Async-signal-safe. Borrowed, never freed. */
struct ftsan_module *ftsan_module_of(uintptr_t pc);

/* Every module whose place no other one has taken. Async-signal-safe. */
void ftsan_modules_each(void (*visit)(const struct ftsan_module *module, void *to),
			void *to);

#endif
