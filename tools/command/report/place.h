/* The one line of source that a finding is shown at. */
#ifndef FTSAN_TOOLS_PLACE_H
#define FTSAN_TOOLS_PLACE_H

#include <stdbool.h>

#include "view/view.h"

/**
 * struct ftsan_place - where
 * @file: as the log or the debug information has it; NULL when no frame has a line
 * @line: from 1
 * @inside: NULL, or the part of @file below the source root
 * @function: the innermost function that is not libc's, "" when unknown
 */
struct ftsan_place {
	const char *file;
	int line;
	const char *inside;
	const char *function;
};

/**
 * ftsan_place_of() - choose it
 * @root: absolute directory of the user's sources, without a slash at the end
 *
 * The innermost frame of the first stack that lies below @root, Python or native; else
 * the innermost Python frame, else the innermost native one with a line.
 */
void ftsan_place_of(struct ftsan_place *place, const struct ftsan_view *view,
		    const char *root);

/* The part of @file below @root, NULL when it is not there. */
const char *ftsan_path_below(const char *file, const char *root);

/* Base name of the module whose access it is, "" when none is known. */
const char *ftsan_module_of(const struct ftsan_view *view);

#endif
