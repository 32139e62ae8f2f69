/*
 * Coming into a process that runs, and leaving it: what `ftsan attach` and `ftsan detach`
 * have a thread of the program call (docs/attach.md).
 *
 * Both calls return at once: the work is done by a thread of ours, because the thread
 * that was caught may be anywhere. How it went is told in the file that the request
 * names: lines of words, the last of them "done: ..." or "failed: ...".
 *
 * A request is a file of lines KEY=VALUE: `status` (the file for the answer, absolute),
 * `options` (as FTSAN_OPTIONS has them) and `run` (the run's id).
 */
#ifndef FTSAN_PRELOAD_ATTACH_H
#define FTSAN_PRELOAD_ATTACH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/annot.h"

/* Context: any thread that may call malloc. Return: 0; -errno: no thread, no request. */
int ftsan_attach(const char *request);
int ftsan_detach(const char *request);

/* Set between a detach and the last free of a guarded buffer. */
extern FTSAN_HIDDEN _Atomic bool ftsan_attach_draining;
void ftsan_attach_count_freed(void);

/* After each free of a guarded buffer: with the last one, the last hooks go. */
static inline void ftsan_attach_freed(void)
{
	if (FTSAN_UNLIKELY(
		    atomic_load_explicit(&ftsan_attach_draining, memory_order_relaxed)))
		ftsan_attach_count_freed();
}

#endif
