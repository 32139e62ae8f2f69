/* Child processes: those that are not followed, and those that died of a signal. */
#ifndef FTSAN_CHILDREN_H
#define FTSAN_CHILDREN_H

#include "base/base.h"

/**
 * ftsan_child_lost() - a child is being started without libftsan.so
 * @path: of its program
 *
 * Context: any, also the vfork child itself: the memory that it counts in is the
 * parent's, and so is the child. Async-signal-safe.
 */
void ftsan_child_lost(const char *path);

/* Appends the member `children_lost` to an object, if there were any. */
void ftsan_record_children(struct ftsan_buf *line);

/* The child of a fork has lost none yet. */
void ftsan_children_fork_child(void);

#endif
