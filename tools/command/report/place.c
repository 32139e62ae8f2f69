#include "report/place.h"

#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "results/results.h"

static bool has_line(const struct ftsan_view_frame *frame)
{
	return frame->file != NULL && frame->file[0] != '\0' && frame->line > 0;
}

/* A wheel's code below the root (a virtual environment there) is not the user's. */
const char *ftsan_path_below(const char *file, const char *root)
{
	size_t length = strlen(root);

	if (file[0] != '/')
		return strncmp(file, "../", 3) != 0 && file[0] != '<' ? file : NULL;
	if (length == 0 || strncmp(file, root, length) != 0 || file[length] != '/' ||
	    strstr(file + length, "/../") != NULL)
		return NULL;
	return file + length + 1;
}

static bool is_users(const struct ftsan_view_frame *frame, const char *root)
{
	return frame->file[0] == '/' && ftsan_path_below(frame->file, root) != NULL &&
	       ftsan_path_in_packages(frame->file) == NULL;
}

static const struct ftsan_view_frame *find(const struct ftsan_view_stack *stack,
					   const char *root)
{
	const struct ftsan_view_frame *python = NULL, *native = NULL;

	for (unsigned i = 0; i < stack->n_frames; i++) {
		const struct ftsan_view_frame *frame = &stack->frames[i];

		if (!has_line(frame) || ftsan_view_is_libc(frame))
			continue;
		if (is_users(frame, root))
			return frame;
		if (frame->python && python == NULL)
			python = frame;
		if (!frame->python && native == NULL)
			native = frame;
	}
	return python != NULL ? python : native;
}

void ftsan_place_of(struct ftsan_place *place, const struct ftsan_view *view,
		    const char *root)
{
	const struct ftsan_view_frame *frame = NULL;

	memset(place, 0, sizeof(*place));
	place->function = "";
	if (view->n_stacks == 0)
		return;
	frame = find(&view->stacks[0], root);
	if (frame != NULL) {
		place->file = frame->file;
		place->line = frame->line;
		place->inside = ftsan_path_below(frame->file, root);
	}
	for (unsigned i = 0; i < view->stacks[0].n_frames; i++) {
		frame = &view->stacks[0].frames[i];
		if (!ftsan_view_is_libc(frame) && frame->function != NULL) {
			place->function = frame->function;
			return;
		}
	}
}

const char *ftsan_module_of(const struct ftsan_view *view)
{
	const struct ftsan_view_stack *stack = view->stacks;

	for (unsigned i = 0; view->n_stacks > 0 && i < stack->n_frames; i++) {
		const struct ftsan_view_frame *frame = &stack->frames[i];

		if (frame->python || frame->module == NULL || ftsan_view_is_libc(frame))
			continue;
		return ftsan_str_base_name(frame->module);
	}
	return "";
}
