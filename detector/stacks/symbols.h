/*
 * Which module and which function a program counter belongs to.
 *
 * The table of loaded modules is rebuilt in normal context (start-up, after dlopen
 * and dlclose) and read from signal handlers without a lock. Function names come
 * from the file's .symtab (.dynsym when stripped), read with pread(2), so that a file
 * which is truncated meanwhile costs a name and no SIGBUS; source lines are the command's
 * business (it links libdw, offline).
 */
#ifndef FTSAN_SYMBOLS_H
#define FTSAN_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stacks/stack.h"

enum {
	FTSAN_PATH_MAX = 512,
	FTSAN_BUILD_ID_HEX = 41, /* 20 bytes in hex and a NUL */
	FTSAN_SYMBOL_MAX = 160,
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
 */
struct ftsan_module {
	char path[FTSAN_PATH_MAX];
	char build_id[FTSAN_BUILD_ID_HEX];
	uintptr_t bias;
	uintptr_t begin;
	uintptr_t end;
	_Atomic uint32_t logged;
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

/**
 * ftsan_symbol_name() - the function that holds @pc
 * @name: FTSAN_SYMBOL_MAX bytes, NUL-terminated; empty when unknown
 *
 * Context: async-signal-safe (open, pread and close are raw system calls); costs a
 *          walk of the file's symbol table, so for findings, not for every trap.
 *          Recent answers, empty ones too, are remembered.
 * Return:  0, or -ENOENT: in no module, in one without a file (the vDSO), in one whose
 *          file is another by now (its build-id differs), or between functions.
 */
int ftsan_symbol_name(uintptr_t pc, char *name);

/*
 * The variable that holds an address of a module; @into: bytes from its start. Not
 * remembered, otherwise like ftsan_symbol_name().
 */
int ftsan_symbol_object(uintptr_t address, char *name, uint64_t *into);

/**
 * ftsan_symbols_set_eval() - tell where the evaluation loop is
 * @function: address of _PyEval_EvalFrameDefault (exported by every interpreter), or 0
 *
 * Finds the part of the loop that a build without .symtab has no name for.
 *
 * Context: start-up, after the first ftsan_modules_refresh(), before the first capture.
 */
void ftsan_symbols_set_eval(uintptr_t function);

/*
 * Is @pc in CPython's evaluation loop: _PyEval_EvalFrameDefault or its .cold and .part
 * clones, or (3.14's tail-calling interpreter) a _TAIL_CALL_ function? Costs what
 * ftsan_symbol_name() costs where the loop's place was not told. Async-signal-safe.
 */
enum ftsan_eval ftsan_symbol_is_eval(uintptr_t pc);

#endif
