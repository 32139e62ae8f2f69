/* What was watched, and what there would have been: a part of the coverage record. */
#ifndef FTSAN_WATCHED_H
#define FTSAN_WATCHED_H

#include <stdbool.h>

#include "base/base.h"

/**
 * ftsan_record_watched() - append the members `watched` and `extensions`
 * @line:   an object that is being written, with a member before
 * @latent: hazards are looked for
 * @gil_on: threads took turns, but for what they did with the GIL released
 *
 * Context: as the other records; async-signal-safe.
 */
void ftsan_record_watched(struct ftsan_buf *line, bool latent, bool gil_on);

/**
 * ftsan_watched_anything() - does any line of watched.def count?
 * @threads: more than one worked with what is watched
 *
 * The rest as above. Extension modules that are loaded and not CPython's own: below.
 */
bool ftsan_watched_anything(bool latent, bool gil_on, bool threads);
unsigned ftsan_watched_extensions(void);
/* Is NumPy among them? */
bool ftsan_watched_numpy(void);

/*
 * Append `modules`: what was seen of each sampled module, as many as the line has room for.
 * Context: normal context or the scout's.
 */
void ftsan_record_modules(struct ftsan_buf *line);

#endif
