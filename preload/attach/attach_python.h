/*
 * What CPython has loaded and made before us: NumPy, extension modules, classes.
 *
 * Of a module that is imported under ftsan, every step is seen (hook_python.c). Here the
 * results are looked up instead: in sys.modules, by CPython's own functions.
 *
 * Context: normal context of a thread of ours, which CPython gets to know for as long as
 * it takes. Waits for the GIL where there is one.
 */
#ifndef FTSAN_PRELOAD_ATTACH_PYTHON_H
#define FTSAN_PRELOAD_ATTACH_PYTHON_H

#include <stdbool.h>

#include "attach/attach_cython.h"

/*
 * Has it begun, and not begun to end? NULL, or in words why not. The one function here
 * that any thread may call.
 */
const char *ftsan_attach_python_refusal(void);

/* "on" or "off"; NULL: this version does not say. */
const char *ftsan_attach_python_gil(void);

/* struct ftsan_attach_found - what was found */
struct ftsan_attach_found {
	unsigned modules;  /* extension modules whose functions can be hooked */
	unsigned of_slots; /* ... and can't: they tell no definition (PyModExport_x) */
	bool numpy;
	struct ftsan_attach_caches caches;
};

/* Hooks what is there already. The engines go, the scout does not yet. */
void ftsan_attach_python_hook(struct ftsan_attach_found *out);

/* Undoes everything that was hooked in Python's data, by an attach or since. */
void ftsan_attach_python_restore(void);

#endif
