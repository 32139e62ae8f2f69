/*
 * The room of static data: which pages of which modules the engine `statics` is given,
 * and when: the writable data that the loader has not made read-only, of extension
 * modules and of the libraries they bring, once the module's own initialisation has ended
 * (python/module_life.h).
 *
 * May use: hooks, elf, python, locks, the detector. A thread holds a lock of the room's
 * own for a bounded time, and the loader's inside of it.
 */
#ifndef FTSAN_PRELOAD_STATICS_SEAL_H
#define FTSAN_PRELOAD_STATICS_SEAL_H

#include "elf/elf.h"
#include "python/python.h"

/* Everything that is loaded and not being initialised. Context: an attach, at its end;
 * normal context. */
void ftsan_statics_seal_all(void);

/* When a module's initialisation ends; its calls of the kernel (kernel.c); a dlclose
 * (statics_unload.c). */
extern const struct ftsan_module_listener ftsan_statics_module_listener;
extern const struct ftsan_loader_listener ftsan_statics_kernel_listener;
extern const struct ftsan_loader_listener ftsan_statics_unload_listener;

#endif
