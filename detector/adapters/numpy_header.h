/*
 * The words of an array's header: which there are, when they are watched, and what it
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
#include <stdint.h>

#include "base/options.h"

struct ftsan_operation_frame;
struct ftsan_thread;

/* Context: start-up, after ftsan_watch_init() or its failure. */
void ftsan_header_init(const struct ftsan_options *options, bool free_threaded);

/**
 * ftsan_header_watch() - watch the headers of an operation's arrays, if it is its turn
 * @frame: all its arrays are known
 *
 * Context: normal context of the operation's thread.
 */
void ftsan_header_watch(struct ftsan_thread *thread, struct ftsan_operation_frame *frame);

/* The operation ends; what the one around it had watched is watched again. Its frame is
 * the innermost one still. Context: the same. */
void ftsan_header_unwatch(struct ftsan_thread *thread,
			  struct ftsan_operation_frame *frame);

/* It was left without an end, and its arrays may be gone: nothing is compared. Context:
 * the same; its frame is the innermost one still. */
void ftsan_header_drop(struct ftsan_thread *thread,
		       const struct ftsan_operation_frame *frame);

#endif
