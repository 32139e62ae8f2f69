/*
 * A finding on one screen: what happened, where, what can go wrong, what to do. All
 * frames are in ftsan_view_text().
 */
#ifndef FTSAN_TOOLS_BRIEF_H
#define FTSAN_TOOLS_BRIEF_H

#include <stdio.h>

#include "results/session_state.h"
#include "view/view.h"

/* At most so many lines, whatever the finding. */
enum { FTSAN_BRIEF_LINES = 25 };

/**
 * struct ftsan_brief - what goes with the view
 * @found:   how often it was seen, and in which tests; NULL: unknown
 * @command: how the program was started, for "run it again"; NULL: unknown
 * @news:    what a comparison says ("new", "known"); NULL: there was none
 * @directory: paths are shown relative to it; NULL: as they are
 */
struct ftsan_brief {
	const struct ftsan_found *found;
	const char *command;
	const char *news;
	const char *directory;
};

/* Reads source files for the lines at the accesses. @view: symbolized. */
void ftsan_brief_write(FILE *out, const struct ftsan_view *view,
		       const struct ftsan_brief *brief);

/* What is not in the view: tests, counts, the comparison. */
void ftsan_brief_notes(FILE *out, const struct ftsan_brief *brief);

/* The few lines of an annotation: what happened, where, the danger, the remedy. */
void ftsan_brief_note(FILE *out, const struct ftsan_view *view,
		      const struct ftsan_found *found);

/* ", shape (3, 4)"; nothing where it is not known. */
void ftsan_put_shape(FILE *out, const struct ftsan_view *view);

/* One line, while the program still runs. */
void ftsan_brief_line(FILE *out, const struct ftsan_view *view);

#endif
