#include "findings/blame.h"

#include "base/base.h"

/* Code that stores where it is told to. */
static bool names_nobody(const struct ftsan_view_frame *frame)
{
	static const char *const modules[] = {"libftsan", "libstdc++.so", "libc++.so",
					      "libgcc_s.so"};

	if (ftsan_view_is_libc(frame) || ftsan_view_is_interpreter(frame))
		return true;
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(modules); i++)
		if (!frame->python && ftsan_str_some(frame->module) &&
		    ftsan_str_begins(ftsan_str_base_name(frame->module), modules[i]))
			return true;
	return false;
}

/* Functions that change an array because they are asked to (NumPy 2.1 to 2.5,
 * getset.c, methods.c and shape.c): the caller is who should know better. */
static bool is_mutator(const struct ftsan_view_frame *frame)
{
	static const char *const functions[] = {
		"array_shape_set",
		"array_shape_set_internal",
		"array_strides_set",
		"array_descr_set",
		"array_dtype_set",
		"array_data_set",
		"array_resize",
		"PyArray_Resize",
		"PyArray_Resize_int",
		"array_setstate",
		"array_setflags",
		"array_flags_set",
		"arrayflags_writeable_set",
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(functions); i++)
		if (ftsan_str_equal(frame->function, functions[i]))
			return true;
	return false;
}

static bool is_traceback(const struct ftsan_view_frame *frame)
{
	return !frame->python && ftsan_str_begins(frame->function, "__Pyx_AddTraceback");
}

static void take_native(struct ftsan_culprit *out, const struct ftsan_view_frame *frame)
{
	struct ftsan_buf text;

	if (ftsan_str_some(frame->module))
		ftsan_lasting_module(out->module, sizeof(out->module), frame->module);
	if (ftsan_str_some(frame->function)) {
		ftsan_lasting_function(out->function, sizeof(out->function),
				       frame->function);
		return;
	}
	ftsan_buf_init(&text, out->function, sizeof(out->function));
	ftsan_buf_char(&text, '+');
	ftsan_buf_hex(&text, frame->start != 0 ? frame->start : frame->offset);
	(void)ftsan_buf_cstr(&text);
}

/* "work (t.py)" */
static void take_python(struct ftsan_culprit *out, const struct ftsan_view_frame *frame)
{
	struct ftsan_buf text;

	ftsan_buf_init(&text, out->function, sizeof(out->function));
	ftsan_buf_str(&text, ftsan_str_some(frame->function) ? frame->function : "?");
	ftsan_buf_str(&text, " (");
	ftsan_buf_str(&text, ftsan_str_some(frame->file)
				     ? ftsan_str_base_name(frame->file)
				     : "?");
	ftsan_buf_char(&text, ')');
	(void)ftsan_buf_cstr(&text);
}

/* The frame that is to blame: see ftsan_blame(). NULL: there is none. */
static const struct ftsan_view_frame *guilty(const struct ftsan_view_stack *stack)
{
	const struct ftsan_view_frame *first = NULL, *innermost = NULL;
	bool asked_for = false; /* a mutator was passed */

	for (unsigned i = 0; i < stack->n_frames; i++) {
		const struct ftsan_view_frame *frame = &stack->frames[i];

		if (is_traceback(frame))
			return frame;
		if (frame->python) {
			/* What is further out called Python, not this. */
			if (innermost != NULL)
				return innermost;
			return first == NULL || asked_for ? frame : first;
		}
		if (first == NULL && !ftsan_view_is_libc(frame))
			first = frame;
		if (names_nobody(frame))
			continue;
		if (is_mutator(frame)) {
			asked_for = true;
			innermost = NULL;
		} else if (innermost == NULL) {
			innermost = frame;
		}
	}
	return innermost != NULL ? innermost : first;
}

void ftsan_blame(struct ftsan_culprit *out, const struct ftsan_view_stack *stack)
{
	const struct ftsan_view_frame *frame = guilty(stack);

	if (frame == NULL)
		return;
	if (frame->python)
		take_python(out, frame);
	else
		take_native(out, frame);
}
