/* Who listens to what: the one list of them, for the rooms that tell. */
#ifndef FTSAN_PRELOAD_LISTENERS_H
#define FTSAN_PRELOAD_LISTENERS_H

#include "elf/elf.h"

/* Hands the listeners to the room of CPython. Context: the constructor.
 * Return: those of the loader, for ftsan_dl_host; the list ends with NULL. */
const struct ftsan_loader_listener *const *ftsan_start_listeners(void);

#endif
