/* Which frames of a stack a reader needs: pure. */
#ifndef FTSAN_TOOLS_FOLD_H
#define FTSAN_TOOLS_FOLD_H

#include <stdbool.h>
#include <stdio.h>

#include "view/view.h"

enum {
	FTSAN_FOLD_SHOWN = 4, /* frames of a stack, at most */
};

/* Whose code a frame is. */
enum ftsan_owner {
	FTSAN_OWNER_PROJECT, /* the user's, or nobody else's that we know */
	FTSAN_OWNER_PACKAGE, /* below site-packages or dist-packages */
	FTSAN_OWNER_RUNNER,  /* pytest and its plugins */
	FTSAN_OWNER_CPYTHON, /* the interpreter and its library */
	FTSAN_OWNER_LIBC,
	FTSAN_OWNERS,
};

enum ftsan_owner ftsan_frame_owner(const struct ftsan_view_frame *frame);

/**
 * struct ftsan_fold - the frames that are shown, and what of the rest
 * @shown:  @n indices into the stack, innermost first: code of extensions and packages,
 *          and the innermost line of the user's own Python
 * @hidden: frames that are not shown, by their owner
 */
struct ftsan_fold {
	unsigned shown[FTSAN_FOLD_SHOWN];
	unsigned n;
	unsigned hidden[FTSAN_OWNERS];
};

void ftsan_fold_stack(struct ftsan_fold *fold, const struct ftsan_view_stack *stack);

/* "21 frames of CPython and pytest"; nothing when none is hidden. */
void ftsan_fold_write(FILE *out, const struct ftsan_fold *fold);

/* "numpy/_core/x.so" of "/venv/lib/python3.14t/site-packages/numpy/_core/x.so"; points into
 * @path. NULL: it is of no installed package. */
const char *ftsan_path_in_packages(const char *path);

/* A path as it is easiest to read: below the working directory, or below site-packages,
 * or as it is. Points into @path. */
const char *ftsan_short_path(const char *path, const char *directory);

#endif
