#include "results/brief_stack.h"

#include <inttypes.h>

#include "common/common.h"
#include "results/fold.h"
#include "results/source_line.h"

void ftsan_brief_place(FILE *out, const struct ftsan_view_frame *frame,
		       const char *directory)
{
	if (ftsan_str_some(frame->file) && frame->line > 0) {
		fputc(' ', out);
		ftsan_put_text(out, ftsan_short_path(frame->file, directory));
		fprintf(out, ":%d", frame->line);
	} else if (!frame->python && ftsan_str_some(frame->module)) {
		fputc(' ', out);
		ftsan_put_text(out, ftsan_str_base_name(frame->module));
		fprintf(out, "+0x%" PRIx64, frame->offset);
	}
}

void ftsan_brief_function(FILE *out, const struct ftsan_view_frame *frame)
{
	char name[FTSAN_SHORT_NAME];

	ftsan_put_text(
		out, ftsan_str_some(frame->function)
			     ? ftsan_view_short_name(frame->function, name, sizeof(name))
			     : "<unknown>");
}

static void put_frame(FILE *out, unsigned number, const struct ftsan_view_frame *frame,
		      const char *directory)
{
	fprintf(out, "    #%u ", number);
	ftsan_brief_function(out, frame);
	ftsan_brief_place(out, frame, directory);
	(void)ftsan_put_source_line(out, "  |  ", frame->file, frame->line);
	fputc('\n', out);
}

void ftsan_brief_thread(FILE *out, const struct ftsan_view_stack *stack, int pid)
{
	if (stack->tid != 0 && stack->tid == pid) {
		fputs(" by the main thread", out);
	} else if (ftsan_str_some(stack->thread)) {
		fputs(" by thread '", out);
		ftsan_put_text(out, stack->thread);
		fputc('\'', out);
	} else {
		fputs(" by a thread", out);
	}
	if (stack->tid != 0)
		fprintf(out, " (tid=%d)", stack->tid);
}

const char *ftsan_brief_deed(const struct ftsan_view_stack *stack, bool concurrent)
{
	static const struct {
		const char *role, *alone, *joined;
	} deeds[] = {
		{"write", "Write", "Concurrent write"},
		{"read", "Read", "Concurrent read"},
		{"free", "Freed", "Freed"},
		{"call", "Called", "Called"},
		{"crash", "Fatal access", "Fatal access"},
	};

	if (ftsan_str_equal(stack->role, "crash") && stack->size == 0)
		return "Fatal instruction";
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (ftsan_str_equal(stack->role, deeds[i].role))
			return concurrent ? deeds[i].joined : deeds[i].alone;
	return "Access";
}

void ftsan_brief_operation(FILE *out, const struct ftsan_view_stack *stack)
{
	if (!ftsan_str_some(stack->operation))
		return;
	fputs(", in ", out);
	ftsan_put_text(out, stack->operation);
	if (stack->object == 0)
		return;
	fputs(" of the ", out);
	ftsan_put_text(out, ftsan_str_some(stack->type) ? stack->type : "object");
	fprintf(out, " at 0x%" PRIx64, stack->object);
}

void ftsan_brief_stack(FILE *out, const struct ftsan_view *view, unsigned index,
		       const char *directory)
{
	const struct ftsan_view_stack *stack = &view->stacks[index];
	struct ftsan_fold fold;

	fprintf(out, "  %s",
		ftsan_brief_deed(stack,
				 index > 0 && ftsan_str_equal(view->kind, "race")));
	if (stack->size != 0)
		fprintf(out, " of size %u", stack->size);
	ftsan_brief_thread(out, stack, view->pid);
	ftsan_brief_operation(out, stack);
	fputs(":\n", out);
	ftsan_fold_stack(&fold, stack);
	for (unsigned i = 0; i < fold.n; i++)
		put_frame(out, fold.shown[i], &stack->frames[fold.shown[i]], directory);
	if (stack->n_frames == 0)
		fputs("    [no stack]\n", out);
	if (fold.n == stack->n_frames)
		return;
	fputs("    ... ", out);
	ftsan_fold_write(out, &fold);
	fputc('\n', out);
}
