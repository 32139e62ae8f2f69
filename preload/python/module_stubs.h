/* The functions that stand for a module's own. Private to the room. */
#ifndef FTSAN_PRELOAD_MODULE_STUBS_H
#define FTSAN_PRELOAD_MODULE_STUBS_H

#include "base/base.h"
#include "hooks/hooks.h"

/* A process with more functions keeps the originals for the rest. */
#define FTSAN_MODULE_STUBS 2048
#define FTSAN_MODULE_STUB_BYTES 16

/* Stub n begins at n * FTSAN_MODULE_STUB_BYTES, and calls the function below with its
 * own two arguments and n. */
extern const char ftsan_module_stubs[] FTSAN_HIDDEN;

/* Context: the thread that imports, in place of the module's function @number. */
FTSAN_HIDDEN void *ftsan_module_enter(void *a, void *b, unsigned number);

#endif
