/*
 * Which pages of which modules the engine `statics` is given, and when: the writable data
 * that the loader has not made read-only, of extension modules and of the libraries they
 * bring, once the module's own initialisation has ended (python/module_life.h).
 */
#ifndef FTSAN_PRELOAD_STATICS_SEAL_H
#define FTSAN_PRELOAD_STATICS_SEAL_H

/* Everything that is loaded and not being initialised. Context: an attach, at its end;
 * normal context. */
void ftsan_statics_seal_all(void);

/* Around a dlclose; with the loader's lock. */
void ftsan_statics_before_dlclose(void);
void ftsan_statics_after_dlclose(void);

#endif
