/* What a program that still runs has watched so far: its log tells it every few seconds.
 */
#ifndef FTSAN_TOOLS_GLANCE_H
#define FTSAN_TOOLS_GLANCE_H

#include <stdio.h>

#include "live/follow.h"

/**
 * struct ftsan_glance - of all processes together, those that have ended, too
 * @watched: what, in words with % for the number, and how much
 * @session: its coverage has the modules, and its findings are borrowed from the run's
 */
struct ftsan_glance {
	struct ftsan_names watched;
	struct ftsan_session session;
};

/* @glance: all-zero, or of a former look. */
void ftsan_glance_take(struct ftsan_glance *glance, const struct ftsan_follow *follow);
void ftsan_glance_release(struct ftsan_glance *glance);

/* "shapes and strides of arrays (29), ..."; "nothing yet". */
void ftsan_glance_write(FILE *out, const struct ftsan_glance *glance);

#endif
