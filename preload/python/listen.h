/*
 * What adapters want to be told of CPython: the room of CPython knows no library by name,
 * each says what it cares for.
 */
#ifndef FTSAN_PRELOAD_LISTEN_H
#define FTSAN_PRELOAD_LISTEN_H

#include <stdint.h>

/**
 * struct ftsan_listener - calls of CPython's functions by the program; NULL: not of
 * interest
 * @capsule: PyCapsule_New() without a name, before it is made, by code at @caller
 * @item:    PyDict_SetItemString(), when the item is there
 * @module:  PyModuleDef_Init() or PyModule_Create2(), before CPython sees @definition
 *           (PyModuleDef *)
 * @frame:   PyFrame_New(), before it is made: an exception gets a traceback
 *
 * Context of all: normal context of an attached thread; what it holds is not known.
 */
struct ftsan_listener {
	void (*capsule)(void *pointer, uintptr_t caller);
	void (*item)(void *dictionary, const char *key);
	void (*module)(const void *definition, uintptr_t caller);
	void (*frame)(void);
};

/* Who listens from now on: @all ends with NULL; borrowed for good. Context: start-up,
 * before any wrapper calls in. */
void ftsan_listen(const struct ftsan_listener *const *all);

/* --- for the wrappers -----------------------------------------------------------------
 */

void ftsan_tell_capsule(void *pointer, uintptr_t caller);
void ftsan_tell_item(void *dictionary, const char *key);
void ftsan_tell_module(const void *definition, uintptr_t caller);
void ftsan_tell_frame(void);

#endif
