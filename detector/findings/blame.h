/* Who is at fault, as far as a stack tells. */
#ifndef FTSAN_BLAME_H
#define FTSAN_BLAME_H

#include "view/view.h"

/**
 * struct ftsan_culprit - a function, by names that last (view/lasting_name.c)
 * @module:   its file's. "" for a function of Python
 * @function: without a symbol "+0x1230", where it begins in the module; "" where not even
 *            that is known. Of Python "work (t.py)"
 */
struct ftsan_culprit {
	char module[64];
	char function[160];
};

/**
 * ftsan_blame() - the function that did what a stack shows
 * @out: empty; stays so where there is none
 *
 * The innermost native one that is neither libc's nor the interpreter's; of functions
 * that are there to store (a.shape = ...) it is their caller; below __Pyx_AddTraceback it
 * is always Cython's cache.
 *
 * Context: pure; async-signal-safe.
 */
void ftsan_blame(struct ftsan_culprit *out, const struct ftsan_view_stack *stack);

#endif
