#include "view/view.h"

#include <string.h>

#include "base/base.h"
#include "view/text_death.h"
#include "view/text_parts.h"

static const char rule[] = "==================\n";

static void put(struct ftsan_buf *out, const char *text)
{
	ftsan_text_put(out, text);
}

const char *ftsan_view_headline(const struct ftsan_view *view)
{
	if (ftsan_str_some(view->grade) && !ftsan_str_some(view->operation) &&
	    ftsan_str_equal(view->kind, "hazard"))
		return "unsynchronized static";
	return ftsan_kind_headline(view->kind);
}

static void put_place(struct ftsan_buf *out, const struct ftsan_view_stack *stack)
{
	if (stack->size != 0) {
		ftsan_buf_str(out, " of size ");
		ftsan_buf_u64(out, stack->size);
	}
	if (stack->address != 0) {
		ftsan_buf_str(out, " at ");
		ftsan_buf_hex(out, stack->address);
	}
}

/* What the stack did; @concurrent: while the first stack of a race was at it. */
static void put_deed(struct ftsan_buf *out, const struct ftsan_view_stack *stack,
		     bool concurrent)
{
	/* Sentence beginning, then what follows "Concurrent" and "Atomic". */
	static const struct {
		const char *role, *alone, *joined;
	} deeds[] = {
		{"write", "Write", "write"},
		{"read", "Read", "read"},
		{"free", "Freed", "free"},
	};

	if (ftsan_str_equal(stack->role, "alloc") ||
	    ftsan_str_equal(stack->role, "call")) {
		ftsan_buf_str(out, ftsan_str_equal(stack->role, "call") ? "Called"
									: "Allocated");
		return;
	}
	if (concurrent)
		ftsan_buf_str(out, "Concurrent ");
	if (stack->atomic)
		ftsan_buf_str(out, concurrent ? "atomic " : "Atomic ");
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(deeds); i++) {
		if (ftsan_str_equal(stack->role, deeds[i].role)) {
			ftsan_buf_str(out, concurrent || stack->atomic ? deeds[i].joined
								       : deeds[i].alone);
			return;
		}
	}
	put(out, ftsan_str_some(stack->role) ? stack->role : "Access");
}

static void put_stack(struct ftsan_buf *out, const struct ftsan_view *view,
		      unsigned index)
{
	const struct ftsan_view_stack *stack = &view->stacks[index];

	ftsan_buf_str(out, "  ");
	put_deed(out, stack, index > 0 && ftsan_str_equal(view->kind, "race"));
	put_place(out, stack);
	ftsan_buf_str(out, " by ");
	ftsan_text_thread(out, stack, view->pid);
	ftsan_buf_str(out, ":\n");
	ftsan_text_frames(out, stack);
}

static void put_values(struct ftsan_buf *out, const struct ftsan_view *view)
{
	if (!view->has_old && !view->has_new)
		return;
	ftsan_buf_str(out, " (");
	if (view->has_old)
		ftsan_buf_i64(out, view->old_value);
	else
		ftsan_buf_char(out, '?');
	if (view->has_new) {
		ftsan_buf_str(out, " -> ");
		ftsan_buf_i64(out, view->new_value);
	}
	ftsan_buf_char(out, ')');
}

static void put_shape(struct ftsan_buf *out, const struct ftsan_view *view)
{
	if (view->n_shape < 0 || view->n_shape > FTSAN_VIEW_DIMS_MAX)
		return;
	ftsan_buf_str(out, ", shape (");
	for (int i = 0; i < view->n_shape; i++) {
		if (i > 0)
			ftsan_buf_str(out, ", ");
		ftsan_buf_i64(out, view->shape[i]);
	}
	ftsan_buf_str(out, view->n_shape == 1 ? ",)" : ")");
}

static void put_location(struct ftsan_buf *out, const struct ftsan_view *view)
{
	if (!ftsan_str_some(view->description) && !ftsan_str_some(view->name) &&
	    view->address == 0)
		return;
	ftsan_buf_str(out, "  Location is ");
	put(out, ftsan_str_some(view->description) ? view->description : "memory");
	if (ftsan_str_some(view->name)) {
		ftsan_buf_str(out, ", ");
		put(out, view->name);
	} else if (view->word >= 0) {
		ftsan_buf_str(out, ", word ");
		ftsan_buf_i64(out, view->word);
	}
	if (ftsan_str_some(view->member)) {
		ftsan_buf_str(out, ", which is ");
		put(out, view->member);
	}
	put_values(out, view);
	if (view->address != 0) {
		ftsan_buf_str(out, " at ");
		ftsan_buf_hex(out, view->address);
	}
	put_shape(out, view);
	if (ftsan_str_some(view->dtype)) {
		ftsan_buf_str(out, ", dtype ");
		put(out, view->dtype);
	}
	if (view->size != 0) {
		ftsan_buf_str(out, ", in a buffer of ");
		ftsan_buf_u64(out, view->size);
		ftsan_buf_str(out, " bytes");
	}
	ftsan_buf_str(out, ".\n");
}

/* What makes the store of an operation a finding although nobody raced with it. */
static void put_operation(struct ftsan_buf *out, const struct ftsan_view *view)
{
	if (!ftsan_str_some(view->operation) || !ftsan_str_equal(view->kind, "hazard"))
		return;
	ftsan_buf_str(out, "  ");
	put(out, view->operation);
	ftsan_buf_str(out, view->output
				   ? " was given the array for its result, but is not"
				   : " was given the array to read, and is not");
	ftsan_buf_str(out, " documented to change its metadata: a thread\n"
			   "  that uses the array at that moment races with it.\n");
}

/* What a graded finding means, in words. */
static void put_meaning(struct ftsan_buf *out, const struct ftsan_view *view)
{
	if (ftsan_str_some(view->note)) {
		ftsan_buf_str(out, "  ");
		put(out, view->note);
		ftsan_buf_char(out, '\n');
	}
	if (ftsan_str_some(view->advice)) {
		ftsan_buf_str(out, "  ");
		put(out, view->advice);
		ftsan_buf_char(out, '\n');
	}
}

static void put_evidence(struct ftsan_buf *out, const struct ftsan_view *view)
{
	ftsan_buf_str(out, "  Confidence ");
	put(out, ftsan_str_some(view->confidence) ? view->confidence : "unknown");
	if (ftsan_str_some(view->grade)) {
		ftsan_buf_str(out, ", grade ");
		put(out, view->grade);
	}
	if (ftsan_str_some(view->fingerprint)) {
		ftsan_buf_str(out, ", fingerprint ");
		put(out, view->fingerprint);
	}
	ftsan_buf_char(out, '\n');
	if (view->gil_forced)
		ftsan_buf_str(out,
			      "  The GIL was kept off although a module asked for it: "
			      "that module does not claim to be safe without it.\n");
}

bool ftsan_view_is_libc(const struct ftsan_view_frame *frame)
{
	static const char *const names[] = {"libc.so", "libc-2", "ld-linux",
					    "libpthread"};

	return !frame->python && ftsan_str_some(frame->module) &&
	       ftsan_str_begins_one(ftsan_str_base_name(frame->module), names,
				    FTSAN_ARRAY_LEN(names));
}

bool ftsan_view_is_interpreter(const struct ftsan_view_frame *frame)
{
	static const char *const names[] = {"python3", "libpython3"};
	const char *name;

	if (frame->python || !ftsan_str_some(frame->module))
		return false;
	name = ftsan_str_base_name(frame->module);
	return ftsan_str_begins_one(name, names, FTSAN_ARRAY_LEN(names)) ||
	       ftsan_str_equal(name, "python");
}

/* The innermost frame of a kind in the stack that a finding is named after. */
static const struct ftsan_view_frame *innermost(const struct ftsan_view *view,
						bool python)
{
	const struct ftsan_view_stack *stack = view->stacks;

	if (view->n_stacks == 0)
		return NULL;
	for (unsigned i = 0; i < stack->n_frames; i++)
		if (stack->frames[i].python == python &&
		    !ftsan_view_is_libc(&stack->frames[i]))
			return &stack->frames[i];
	return NULL;
}

static void put_summary(struct ftsan_buf *out, const struct ftsan_view *view)
{
	char name[FTSAN_SHORT_NAME];
	const struct ftsan_view_frame *native = innermost(view, false);
	const struct ftsan_view_frame *place = innermost(view, true);

	if (place == NULL || !ftsan_str_some(place->file))
		place = native;
	ftsan_buf_str(out, "SUMMARY: ftsan: ");
	put(out, ftsan_view_headline(view));
	if (place != NULL && ftsan_str_some(place->file)) {
		ftsan_buf_char(out, ' ');
		put(out, place->file);
		ftsan_text_line(out, place->line);
	}
	if (native == NULL ||
	    (!ftsan_str_some(native->function) && !ftsan_str_some(native->module))) {
		ftsan_buf_char(out, '\n');
		return;
	}
	ftsan_buf_str(out, " in ");
	if (ftsan_str_some(native->function))
		put(out, ftsan_view_short_name(native->function, name, sizeof(name)));
	else
		ftsan_text_offset(out, native);
	ftsan_buf_char(out, '\n');
}

void ftsan_view_text(struct ftsan_buf *out, const struct ftsan_view *view)
{
	ftsan_buf_str(out, rule);
	ftsan_buf_str(out, "WARNING: ftsan: ");
	put(out, ftsan_view_headline(view));
	ftsan_buf_str(out, " (pid=");
	ftsan_buf_i64(out, view->pid);
	ftsan_buf_str(out, ")\n");
	if (ftsan_str_some(view->title)) {
		ftsan_buf_str(out, "  ");
		put(out, view->title);
		ftsan_buf_char(out, '\n');
	}
	if (view->death != NULL) {
		ftsan_text_death(out, view);
	} else {
		for (unsigned i = 0; i < view->n_stacks; i++)
			put_stack(out, view, i);
		put_location(out, view);
	}
	put_operation(out, view);
	put_meaning(out, view);
	put_evidence(out, view);
	ftsan_buf_char(out, '\n');
	put_summary(out, view);
	ftsan_buf_str(out, rule);
}
