/*
 * Which module and which function a program counter belongs to.
 *
 * Function names come
 * from the file's .symtab (.dynsym when stripped), read with pread(2), so that a file
 * which is truncated meanwhile costs a name and no SIGBUS; source lines are the command's
 * business (it links libdw, offline).
 */
#ifndef FTSAN_SYMBOLS_H
#define FTSAN_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stacks/modules.h"
#include "stacks/stack.h"

enum {
	FTSAN_SYMBOL_MAX = 160,
};

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
