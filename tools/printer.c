#include "printer.h"

#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "xmemory.h"

/*
 * Only an access was caught at its instruction; the other roles are captured inside a
 * function that the frame has called, so their addresses are return addresses.
 */
static bool begins_exact(const struct ftsan_view_stack *stack)
{
	return stack->role != NULL &&
	       (strcmp(stack->role, "write") == 0 || strcmp(stack->role, "read") == 0);
}

static void symbolize_stack(struct ftsan_symbolizer *symbolizer,
			    const struct ftsan_session *session,
			    const struct ftsan_view_stack *stack,
			    struct ftsan_view_frame *frames)
{
	bool exact = begins_exact(stack);

	for (unsigned i = 0; i < stack->n_frames; i++) {
		const char *module = frames[i].module;
		const char *build_id = NULL;

		if (frames[i].python)
			continue;
		if (module != NULL)
			build_id = ftsan_session_build_id(session, module);
		ftsan_symbolize(symbolizer, &frames[i], build_id, exact);
		exact = false;
	}
}

void ftsan_print_finding(void *argument, const struct ftsan_session *session,
			 struct ftsan_finding_record *finding)
{
	struct ftsan_view_frame *frames = finding->frames;
	size_t capacity = 1 << 15;
	struct ftsan_buf buf;
	char *text;

	for (unsigned i = 0; i < finding->view.n_stacks; i++) {
		symbolize_stack(argument, session, &finding->stacks[i], frames);
		frames += finding->stacks[i].n_frames;
	}
	for (;; capacity *= 2) {
		text = ftsan_xcalloc(capacity, 1);
		ftsan_buf_init(&buf, text, capacity);
		ftsan_view_text(&buf, &finding->view);
		if (!buf.truncated)
			break;
		free(text);
	}
	ftsan_write_report(buf.text, buf.length);
	free(text);
}
