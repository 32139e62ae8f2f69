/*
 * Slots of modules: what a module says of itself, and the functions that make it.
 *
 * Two shapes of the same sixteen bytes: struct PyModuleDef_Slot (Include/moduleobject.h,
 * int, then a pointer), and struct PySlot of 3.15 (Include/slots.h), which has flags in
 * the upper half of the int. Arrays of either end with number 0, and may hold further
 * arrays of either. Numbers: Include/slots_generated.h of 3.15; those below 5 are of
 * 3.13 and 3.14, and of code for the limited API before 3.15.
 *
 * Context of everything: normal context, during an import; slots are the module's own
 * static data, and as good as its code.
 */
#ifndef FTSAN_PRELOAD_MODULE_SLOTS_H
#define FTSAN_PRELOAD_MODULE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

enum ftsan_modslot_kind {
	FTSAN_MODSLOT_END,
	FTSAN_MODSLOT_OTHER,
	FTSAN_MODSLOT_CREATE,
	FTSAN_MODSLOT_EXEC,
	FTSAN_MODSLOT_GIL,
	FTSAN_MODSLOT_NESTED, /* the value is an array again */
	FTSAN_MODSLOT_NAME,
	FTSAN_MODSLOT_METHODS,
	FTSAN_MODSLOT_TOKEN,
};

struct ftsan_modslot {
	uint16_t number, flags;
	uint32_t reserved;
	void *value;
};

enum ftsan_modslot_kind ftsan_modslot_kind(const struct ftsan_modslot *slot);

/* The value of the first slot of a kind, also in nested arrays; @slots may be NULL. */
bool ftsan_modslots_find(const struct ftsan_modslot *slots, enum ftsan_modslot_kind kind,
			 void **value);

/**
 * ftsan_modslots_count() - how many slots of a kind, nested ones included
 * @slots: may be NULL
 */
unsigned ftsan_modslots_count(const struct ftsan_modslot *slots,
			      enum ftsan_modslot_kind kind);

/**
 * ftsan_modslots_copy() - a copy in which functions are replaced
 * @first:   a slot that the copy has and the original hasn't; NULL: none
 * @replace: is given each slot with CREATE or EXEC, in order, to change its value
 *
 * Return: the copy (never freed: the interpreter keeps it), nested arrays are copies,
 *         too; NULL when there is no memory.
 */
struct ftsan_modslot *
ftsan_modslots_copy(const struct ftsan_modslot *slots, const struct ftsan_modslot *first,
		    void (*replace)(struct ftsan_modslot *slot,
				    enum ftsan_modslot_kind kind, void *argument),
		    void *argument);

#endif
