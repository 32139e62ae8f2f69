/* Every wrapper by its number, for whoever redirects imports to them. */
#ifndef FTSAN_PRELOAD_WRAPPERS_H
#define FTSAN_PRELOAD_WRAPPERS_H

#include "elf/elf.h"

/* Fills in a table that is complete from then on, and returns it. */
const struct ftsan_wrapper *ftsan_start_wrappers(void);

#endif
