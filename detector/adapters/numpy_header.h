/*
 * The words of an array's header (numpy_words.h): when they are watched, and what it
 * means when one changes.
 *
 * They share a cache line with the reference count, so no page can guard them. Inside
 * operations that are watched, the thread's watchpoints (watch.h) stand at some of the
 * words of one of the operation's arrays; where there are no watchpoints, the values are
 * compared (recheck.h). A store in an operation that is not documented to change the
 * array is a hazard (latent mode); one that meets another thread at the same word is a
 * race (race mode).
 */
#ifndef FTSAN_NUMPY_HEADER_H
#define FTSAN_NUMPY_HEADER_H

#include <stdbool.h>

#include "base/base.h"

/* Context: start-up, after ftsan_watch_init() or its failure. */
void ftsan_header_init(const struct ftsan_options *options, bool free_threaded);

#endif
