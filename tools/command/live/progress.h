/* A line that is updated while a program runs. */
#ifndef FTSAN_TOOLS_PROGRESS_H
#define FTSAN_TOOLS_PROGRESS_H

#include <stdbool.h>

#include "results/results.h"

/**
 * struct ftsan_progress - the line
 * @shown:  it is asked for, and stderr is a terminal
 * @began, @updated: seconds, of ftsan_seconds()
 */
struct ftsan_progress {
	bool shown;
	double began, updated;
};

void ftsan_progress_begin(struct ftsan_progress *progress, bool wanted);

/* Twice a second at most: time, processes, findings so far. */
void ftsan_progress_update(struct ftsan_progress *progress,
			   const struct ftsan_session *session);

/* Takes the line away. */
void ftsan_progress_end(struct ftsan_progress *progress);

#endif
