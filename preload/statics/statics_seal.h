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

/* Everything that is loaded and not being initialised. Context: an attach, at its end;
 * normal context. */
void ftsan_statics_seal_all(void);

#endif
