#include "live/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/common.h"
#include "results/results.h"

static const double INTERVAL_S = 0.5;

void ftsan_progress_begin(struct ftsan_progress *progress, bool wanted)
{
	memset(progress, 0, sizeof(*progress));
	progress->shown = wanted && isatty(STDERR_FILENO);
	progress->began = ftsan_seconds();
}

/* One more would be a second line, which nothing takes away. */
static int columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1
		       ? size.ws_col - 1
		       : 79;
}

static void write_line(FILE *out, const struct ftsan_progress *progress,
		       const struct ftsan_session *session, unsigned seconds)
{
	unsigned long long processes = session->n_processes;

	fprintf(out, "ftsan: %u:%02u, %zu %s so far", seconds / 60, seconds % 60,
		session->n_shown, ftsan_plural(session->n_shown, "finding", "findings"));
	if (processes > 1)
		fprintf(out, ", %llu processes", processes);
	fputs(", watched: ", out);
	ftsan_glance_write(out, &progress->glance);
}

void ftsan_progress_update(struct ftsan_progress *progress,
			   const struct ftsan_follow *follow)
{
	double now = ftsan_seconds();
	char *text = NULL;
	size_t length = 0;
	FILE *out;

	if (!progress->shown || now - progress->updated < INTERVAL_S)
		return;
	progress->updated = now;
	ftsan_glance_take(&progress->glance, follow);
	out = open_memstream(&text, &length);
	if (out == NULL)
		return;
	write_line(out, progress, follow->session, (unsigned)(now - progress->began));
	/* Back to the beginning; the rest of the line is cleared. The program's own
	 * output goes over it. */
	if (fclose(out) == 0)
		fprintf(stderr, "\r\033[K%.*s\r", columns(), text);
	fflush(stderr);
	free(text);
}

void ftsan_progress_end(struct ftsan_progress *progress)
{
	ftsan_glance_release(&progress->glance);
	if (!progress->shown || progress->updated <= 0)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}
