#include "view/view.h"

/* Begins a member or (@name NULL) an element; the comma follows from what is there. */
static void begin(struct ftsan_buf *out, const char *name)
{
	char last = out->length > 0 ? out->text[out->length - 1] : '{';

	if (last != '{' && last != '[')
		ftsan_buf_char(out, ',');
	if (name == NULL)
		return;
	ftsan_buf_json(out, name);
	ftsan_buf_char(out, ':');
}

/* Each of these leaves the member out when it does not apply. */
static void put_string(struct ftsan_buf *out, const char *name, const char *text)
{
	if (!ftsan_str_some(text))
		return;
	begin(out, name);
	ftsan_buf_json(out, text);
}

static void put_address(struct ftsan_buf *out, const char *name, uint64_t address)
{
	if (address == 0)
		return;
	begin(out, name);
	ftsan_buf_char(out, '"');
	ftsan_buf_hex(out, address);
	ftsan_buf_char(out, '"');
}

static void put_integer(struct ftsan_buf *out, const char *name, bool applies,
			int64_t value)
{
	if (!applies)
		return;
	begin(out, name);
	ftsan_buf_i64(out, value);
}

static void put_bool(struct ftsan_buf *out, const char *name, bool value)
{
	begin(out, name);
	ftsan_buf_str(out, value ? "true" : "false");
}

static void put_time(struct ftsan_buf *out, const char *name, double time)
{
	uint64_t seconds;

	/* Above, a double has no room for microseconds, nor 64 bits for so many. */
	if (!(time > 0 && time < 1e13))
		return;
	seconds = (uint64_t)time;
	begin(out, name);
	ftsan_buf_decimal(
		out, seconds * 1000000 + (uint64_t)((time - (double)seconds) * 1e6), 6);
}

static void put_shape(struct ftsan_buf *out, const struct ftsan_view *view)
{
	if (view->n_shape < 0 || view->n_shape > FTSAN_VIEW_DIMS_MAX)
		return;
	begin(out, "shape");
	ftsan_buf_char(out, '[');
	for (int i = 0; i < view->n_shape; i++) {
		begin(out, NULL);
		ftsan_buf_i64(out, view->shape[i]);
	}
	ftsan_buf_char(out, ']');
}

static void put_object(struct ftsan_buf *out, const struct ftsan_view *view)
{
	begin(out, "object");
	ftsan_buf_char(out, '{');
	put_string(out, "description", view->description);
	put_address(out, "address", view->address);
	put_string(out, "module", view->module);
	if (ftsan_str_some(view->module))
		put_address(out, "offset", view->offset);
	put_integer(out, "word", view->word >= 0, view->word);
	put_string(out, "name", view->name);
	put_string(out, "subject", view->subject);
	put_integer(out, "old", view->has_old, view->old_value);
	put_integer(out, "new", view->has_new, view->new_value);
	put_shape(out, view);
	put_string(out, "dtype", view->dtype);
	put_string(out, "operation", view->operation);
	if (view->output)
		put_bool(out, "output", true);
	put_integer(out, "size", view->size != 0, view->size);
	ftsan_buf_char(out, '}');
}

static void put_frame(struct ftsan_buf *out, const struct ftsan_view_frame *frame)
{
	begin(out, NULL);
	ftsan_buf_char(out, '{');
	put_string(out, "type", frame->python ? "python" : "native");
	if (!frame->python) {
		put_string(out, "module", frame->module);
		if (ftsan_str_some(frame->module))
			put_address(out, "offset", frame->offset);
	}
	put_string(out, "function", frame->function);
	put_string(out, "file", frame->file);
	put_integer(out, "line", frame->line > 0, frame->line);
	ftsan_buf_char(out, '}');
}

static void put_silent(struct ftsan_buf *out, const struct ftsan_view_death *death)
{
	if (death->n_silent == 0)
		return;
	begin(out, "silent");
	ftsan_buf_char(out, '[');
	for (unsigned i = 0; i < death->n_silent; i++) {
		begin(out, NULL);
		ftsan_buf_i64(out, death->silent[i]);
	}
	ftsan_buf_char(out, ']');
}

static void put_seconds(struct ftsan_buf *out, const char *name, double seconds)
{
	uint64_t millis = seconds > 0 && seconds < 1e12 ? (uint64_t)(seconds * 1e3) : 0;

	begin(out, name);
	ftsan_buf_decimal(out, millis, 3);
}

static void put_earlier(struct ftsan_buf *out, const struct ftsan_view_death *death)
{
	if (death->n_earlier == 0)
		return;
	begin(out, "earlier");
	ftsan_buf_char(out, '[');
	for (unsigned i = 0; i < death->n_earlier; i++) {
		begin(out, NULL);
		ftsan_buf_char(out, '{');
		put_string(out, "kind", death->earlier[i].kind);
		put_string(out, "fingerprint", death->earlier[i].fingerprint);
		put_seconds(out, "before", death->earlier[i].before);
		ftsan_buf_char(out, '}');
	}
	ftsan_buf_char(out, ']');
}

static void put_death(struct ftsan_buf *out, const struct ftsan_view_death *death)
{
	begin(out, "death");
	ftsan_buf_char(out, '{');
	put_string(out, "signal", death->signal);
	put_string(out, "cause", death->cause);
	put_string(out, "detail", death->detail);
	if (death->race)
		put_bool(out, "race", true);
	put_string(out, "relation", death->relation);
	if (ftsan_str_some(death->reg)) {
		put_string(out, "register", death->reg);
		begin(out, "value");
		ftsan_buf_char(out, '"');
		ftsan_buf_hex(out, death->value);
		ftsan_buf_char(out, '"');
	}
	put_integer(out, "guilty", true, death->n_guilty);
	put_silent(out, death);
	put_integer(out, "untold", death->untold != 0, death->untold);
	put_earlier(out, death);
	ftsan_buf_char(out, '}');
}

static void put_stack(struct ftsan_buf *out, const struct ftsan_view_stack *stack)
{
	begin(out, NULL);
	ftsan_buf_char(out, '{');
	put_string(out, "role", stack->role);
	put_integer(out, "tid", stack->tid != 0, stack->tid);
	put_string(out, "thread", stack->thread);
	put_integer(out, "size", stack->size != 0, stack->size);
	put_address(out, "address", stack->address);
	if (stack->atomic)
		put_bool(out, "atomic", true);
	put_string(out, "operation", stack->operation);
	put_string(out, "object_type", stack->type);
	put_address(out, "object", stack->object);
	begin(out, "frames");
	ftsan_buf_char(out, '[');
	for (unsigned i = 0; i < stack->n_frames; i++)
		put_frame(out, &stack->frames[i]);
	ftsan_buf_str(out, "]}");
}

static void put_culprit(struct ftsan_buf *out, const struct ftsan_view *view)
{
	if (!ftsan_str_some(view->culprit))
		return;
	begin(out, "culprit");
	ftsan_buf_char(out, '{');
	put_string(out, "function", view->culprit);
	put_string(out, "module", view->culprit_module);
	ftsan_buf_char(out, '}');
}

void ftsan_view_json(struct ftsan_buf *out, const struct ftsan_view *view)
{
	ftsan_buf_str(out, "{\"v\":1");
	put_string(out, "type", "finding");
	put_string(out, "id", view->id);
	put_time(out, "time", view->time);
	put_string(out, "kind", view->kind);
	put_string(out, "confidence", view->confidence);
	put_string(out, "fingerprint", view->fingerprint);
	put_string(out, "also", view->also);
	put_culprit(out, view);
	put_string(out, "evidence", view->evidence);
	put_string(out, "title", view->title);
	put_string(out, "grade", view->grade);
	put_string(out, "note", view->note);
	put_string(out, "advice", view->advice);
	put_bool(out, "gil_forced", view->gil_forced);
	put_object(out, view);
	if (view->death != NULL)
		put_death(out, view->death);
	begin(out, "stacks");
	ftsan_buf_char(out, '[');
	for (unsigned i = 0; i < view->n_stacks; i++)
		put_stack(out, &view->stacks[i]);
	ftsan_buf_str(out, "]}");
}
