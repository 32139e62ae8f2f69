#include "live/live.h"

#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "symbols/symbols.h"

void ftsan_live_add_options(char **options, const char *more)
{
	char *all = *options != NULL ? ftsan_xprintf("%s:%s", *options, more)
				     : ftsan_xstrdup(more);

	free(*options);
	*options = all;
}

int ftsan_live_suppressions(struct ftsan_live *live,
			    struct ftsan_suppressions *suppressions)
{
	live->printer.suppressions = suppressions;
	if (live->options.suppressions[0] == '\0')
		return 0;
	return ftsan_suppressions_read(suppressions, live->options.suppressions,
				       ftsan_today());
}

void ftsan_live_begin(struct ftsan_live *live)
{
	static const struct ftsan_symbolizer_options where_they_are;

	live->printer.symbolizer = ftsan_symbolizer_open(&where_they_are);
	live->session.run = live->environment.run_id;
	live->session.on_finding = ftsan_print_finding;
	if (live->printer.suppressions->n > 0)
		ftsan_printer_judges(&live->session);
	live->session.argument = &live->printer;
	ftsan_follow_init(&live->follow, &live->log, &live->session);
}

int ftsan_live_finish(struct ftsan_live *live, const char *nothing)
{
	struct ftsan_summary summary = {.nothing = nothing};
	int error;

	/* What comes now comes with the report. */
	live->session.on_finding = NULL;
	ftsan_follow_poll(&live->follow);
	error = ftsan_follow_finish(&live->follow, &summary.torn_files);
	summary.suppressions = live->printer.suppressions;
	if ((!live->log.temporary && !live->log.stored) || live->session.n_shown > 0)
		summary.log_path = live->log.path;
	summary.stats = live->options.stats;
	ftsan_print_results(&live->session, &live->printer, &summary);
	return error;
}

void ftsan_live_end(struct ftsan_live *live)
{
	ftsan_follow_release(&live->follow);
	ftsan_symbolizer_close(live->printer.symbolizer);
}

/* The project may want to fail for what is proven only. */
static bool fails(const struct ftsan_session *session)
{
	const char *on = getenv("FTSAN_FAIL_ON");

	if (on == NULL || strcmp(on, "confirmed") != 0)
		return true;
	for (size_t i = 0; i < session->n_found; i++)
		if (ftsan_found_shown(&session->found[i]) &&
		    strcmp(session->found[i].confidence, "confirmed") == 0)
			return true;
	return false;
}

int ftsan_live_status(const struct ftsan_live *live)
{
	switch (ftsan_verdict_of(&live->session)) {
	case FTSAN_VERDICT_FOUND:
		return fails(&live->session) ? (int)live->options.exitcode : 0;
	case FTSAN_VERDICT_NOTHING_WATCHED:
		/* That was the user's wish. */
		return live->options.enabled ? (int)live->options.blindcode : 0;
	default:
		return 0;
	}
}
