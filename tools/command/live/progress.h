/* A line that is updated while a program runs. */
#ifndef FTSAN_TOOLS_PROGRESS_H
#define FTSAN_TOOLS_PROGRESS_H

#include <stdbool.h>

#include "live/glance.h"

/**
 * struct ftsan_progress - the line
 * @shown:  it is asked for, and stderr is a terminal
 * @began, @updated: seconds, of ftsan_seconds()
 * @glance: the last look
 */
struct ftsan_progress {
	bool shown;
	double began, updated;
	struct ftsan_glance glance;
};

void ftsan_progress_begin(struct ftsan_progress *progress, bool wanted);

/* Twice a second at most: time, findings so far, what is watched. */
void ftsan_progress_update(struct ftsan_progress *progress,
			   const struct ftsan_follow *follow);

/* Takes the line away. */
void ftsan_progress_end(struct ftsan_progress *progress);

#endif
