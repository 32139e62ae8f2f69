#include "results/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "common/common.h"

/* struct frames - the growing list of all stacks; they point at it when it is done */
struct frames {
	struct ftsan_view_frame *frames;
	size_t capacity;
	bool *inlined;
	size_t inlined_capacity;
	size_t n;
};

static void append(struct frames *to, const struct ftsan_view_frame *frame, bool inlined)
{
	to->frames = ftsan_xgrow(to->frames, to->n, &to->capacity, sizeof(*to->frames));
	to->inlined = ftsan_xgrow(to->inlined, to->n, &to->inlined_capacity,
				  sizeof(*to->inlined));
	to->frames[to->n] = *frame;
	to->inlined[to->n++] = inlined;
}

/*
 * Only an access was caught at its instruction; the other roles are captured inside a
 * function that the frame has called, so their addresses are return addresses.
 */
static bool begins_exact(const struct ftsan_view_stack *stack)
{
	return stack->role != NULL &&
	       (strcmp(stack->role, "write") == 0 || strcmp(stack->role, "read") == 0);
}

static void resolve_stack(struct frames *to, struct ftsan_symbolizer *symbolizer,
			  const struct ftsan_occurrence *occurrence,
			  const struct ftsan_view_stack *stack)
{
	bool exact = begins_exact(stack);

	for (unsigned i = 0; i < stack->n_frames; i++) {
		const struct ftsan_view_frame *frame = &stack->frames[i];
		const struct ftsan_chain *chain;
		const char *build_id = NULL;

		if (frame->python) {
			append(to, frame, false);
			continue;
		}
		if (frame->module != NULL)
			build_id = ftsan_session_build_id(
				occurrence->session, occurrence->modules, frame->module);
		chain = ftsan_symbolize(symbolizer, frame, build_id, exact);
		for (unsigned j = 0; j < chain->n; j++)
			append(to, &chain->frames[j], j + 1 < chain->n);
		exact = false;
	}
}

/* "state.lock.owner"; NULL where debug information says no more than the name. */
static char *member_of(struct ftsan_symbolizer *symbolizer,
		       const struct ftsan_occurrence *occurrence)
{
	const struct ftsan_view *view = &occurrence->record->view;
	struct ftsan_static_name name;

	if (!ftsan_str_some(view->module) ||
	    !ftsan_symbolize_static(symbolizer, view->module,
				    ftsan_session_build_id(occurrence->session,
							   occurrence->modules,
							   view->module),
				    view->offset, &name) ||
	    strchr(name.part, '.') == NULL)
		return NULL;
	return ftsan_xprintf("%s%s", name.name, name.part);
}

static char *demangled(const char *text)
{
	return text != NULL ? ftsan_demangle_text(text) : NULL;
}

void ftsan_resolve(struct ftsan_resolved *resolved, struct ftsan_symbolizer *symbolizer,
		   const struct ftsan_occurrence *occurrence)
{
	const struct ftsan_view *view = &occurrence->record->view;
	struct frames all = {.n = 0};
	size_t before;

	resolved->view = *view;
	resolved->view.title = resolved->title = demangled(view->title);
	resolved->view.name = resolved->name = demangled(view->name);
	resolved->view.description = resolved->description = demangled(view->description);
	resolved->view.member = resolved->member = member_of(symbolizer, occurrence);
	resolved->stacks = ftsan_xcalloc(view->n_stacks, sizeof(*resolved->stacks));
	for (unsigned i = 0; i < view->n_stacks; i++) {
		before = all.n;
		resolved->stacks[i] = view->stacks[i];
		resolve_stack(&all, symbolizer, occurrence, &view->stacks[i]);
		resolved->stacks[i].n_frames = (unsigned)(all.n - before);
	}
	before = 0;
	for (unsigned i = 0; i < view->n_stacks; i++) {
		resolved->stacks[i].frames =
			all.frames != NULL ? &all.frames[before] : NULL;
		before += resolved->stacks[i].n_frames;
	}
	resolved->frames = all.frames;
	resolved->inlined = all.inlined;
	resolved->view.stacks = resolved->stacks;
}

void ftsan_resolved_release(struct ftsan_resolved *resolved)
{
	free(resolved->stacks);
	free(resolved->frames);
	free(resolved->inlined);
	free(resolved->member);
	free(resolved->title);
	free(resolved->name);
	free(resolved->description);
	memset(resolved, 0, sizeof(*resolved));
}

bool ftsan_is_inlined(const struct ftsan_resolved *resolved,
		      const struct ftsan_view_frame *frame)
{
	return resolved->inlined[frame - resolved->frames];
}
