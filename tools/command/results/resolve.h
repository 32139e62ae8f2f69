/* A finding of the log with its frames symbolized and inlined calls unfolded. */
#ifndef FTSAN_TOOLS_RESOLVE_H
#define FTSAN_TOOLS_RESOLVE_H

#include "results/session.h"
#include "symbols/symbols.h"

/**
 * struct ftsan_resolved - the finding as it is shown
 * @view:    points into @stacks and @frames; other strings are the record's
 * @inlined: for each of @frames, whether it is a function that was inlined into the
 *           next one
 * @member: for @view; NULL: not known
 * @title, @name, @description: demangled, for @view; NULL where that has none
 */
struct ftsan_resolved {
	struct ftsan_view view;
	struct ftsan_view_stack *stacks;
	struct ftsan_view_frame *frames;
	bool *inlined;
	char *member;
	char *title, *name, *description;
};

/* Ownership: released with ftsan_resolved_release(); the occurrence must live longer. */
void ftsan_resolve(struct ftsan_resolved *resolved, struct ftsan_symbolizer *symbolizer,
		   const struct ftsan_occurrence *occurrence);
void ftsan_resolved_release(struct ftsan_resolved *resolved);

/* @frame: one of @resolved's. */
bool ftsan_is_inlined(const struct ftsan_resolved *resolved,
		      const struct ftsan_view_frame *frame);

#endif
