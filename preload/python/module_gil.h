/*
 * Which extension modules do not declare that they can do without the GIL.
 *
 * Context of everything: normal context, during an import.
 */
#ifndef FTSAN_PRELOAD_MODULE_GIL_H
#define FTSAN_PRELOAD_MODULE_GIL_H

#include "python/module_slots.h"

/* Where a PyModuleDef names its slots (m_slots); NULL: its layout is not known. */
struct ftsan_modslot **ftsan_module_slots(void *definition);

/* Multi-phase initialisation: the slots say it (Py_mod_gil). */
void ftsan_module_defined(const void *definition);
/* The same for a module that is slots alone (3.15). */
void ftsan_module_exported(const char *name, const struct ftsan_modslot *slots);
/* Single-phase: asks for the GIL, unless PyUnstable_Module_SetGIL() follows. */
void ftsan_module_created(const void *definition);
void ftsan_module_declares_gil(const void *gil);

#endif
