#include "live/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "common/common.h"

static const double INTERVAL_S = 0.5;

void ftsan_progress_begin(struct ftsan_progress *progress, bool wanted)
{
	progress->shown = wanted && isatty(STDERR_FILENO);
	progress->began = ftsan_seconds();
	progress->updated = 0;
}

void ftsan_progress_update(struct ftsan_progress *progress,
			   const struct ftsan_session *session)
{
	double now = ftsan_seconds();
	unsigned seconds = (unsigned)(now - progress->began);
	unsigned long long processes = session->n_processes;

	if (!progress->shown || now - progress->updated < INTERVAL_S)
		return;
	progress->updated = now;
	/* Back to the beginning; the rest of the line is cleared. The program's own
	 * output goes over it. */
	fprintf(stderr, "\r\033[Kftsan: %u:%02u, %llu %s, %zu %s so far\r", seconds / 60,
		seconds % 60, processes, ftsan_plural(processes, "process", "processes"),
		session->n_shown, ftsan_plural(session->n_shown, "finding", "findings"));
	fflush(stderr);
}

void ftsan_progress_end(struct ftsan_progress *progress)
{
	if (!progress->shown || progress->updated <= 0)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}
