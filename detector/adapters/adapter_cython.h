/*
 * Cython's cache of code objects, one a module: a sorted array of {code object, line}
 * that every raised exception is looked up in, and that grows by 64 entries
 * (Cython/Utility/ModuleSetupCode.c, __pyx_find_code_object and
 * __pyx_insert_code_object, 3.0 to 3.3). Up to 3.1.0a1 nothing protects it from other
 * threads (cython#6718); later versions let only one thread in at a time, so any two
 * accesses at the same time are the race.
 */
#ifndef FTSAN_ADAPTER_CYTHON_H
#define FTSAN_ADAPTER_CYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages/pages.h"

extern const struct ftsan_adapter ftsan_adapter_cython;

/* sizeof(__Pyx_CodeObjectCacheEntry), and the bytes of the first allocation. */
enum { FTSAN_CYTHON_ENTRY = 16, FTSAN_CYTHON_FIRST = 64 * FTSAN_CYTHON_ENTRY };

/* Context: start-up. @ob_type: offset in PyObject; @code_type: &PyCode_Type. */
void ftsan_cython_init(uint32_t ob_type, uintptr_t code_type);

/**
 * ftsan_cython_module() - is the code at @pc of a module that Cython made?
 *
 * The first question about a module searches its memory for the version string that
 * Cython puts there; the answer is remembered.
 *
 * Context: normal context. Return: a number for ftsan_guard_alloc()'s @object, 0: no.
 */
uintptr_t ftsan_cython_module(uintptr_t pc);

/* Does a cache begin at @block: is the first word a code object's address? @block may be
 * any address. */
bool ftsan_cython_begins_cache(const void *block);

/*
 * find_version() - "3.1.0a1" out of the "_cython_3_1_0a1" in a piece of memory (pure)
 * Return: false when it is not there.
 */
bool ftsan_cython_find_version(const char *text, size_t size, char *version, size_t room);

#endif
