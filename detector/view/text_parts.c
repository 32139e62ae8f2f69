#include "view/text_parts.h"

#include <string.h>

#include "base/base.h"

const char *ftsan_kind_headline(const char *kind)
{
	static const struct {
		const char *kind, *headline;
	} headlines[] = {
		{"race", "data race"},
		{"use-after-free", "use after free"},
		{"hazard", "metadata hazard"},
		{"bad-code", "invalid code object"},
		{"no-exception", "traceback without exception"},
		{"crash", "crash"},
		{"hang", "hang"},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(headlines); i++)
		if (kind != NULL && strcmp(kind, headlines[i].kind) == 0)
			return headlines[i].headline;
	return ftsan_str_some(kind) ? kind : "finding";
}

/*
 * Names of files, threads and functions are the program's: a newline in one would fake
 * lines of the report, an escape sequence would reach the terminal.
 */
void ftsan_text_put(struct ftsan_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		ftsan_buf_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
}

void ftsan_text_line(struct ftsan_buf *out, int32_t line)
{
	if (line <= 0)
		return;
	ftsan_buf_char(out, ':');
	ftsan_buf_i64(out, line);
}

void ftsan_text_offset(struct ftsan_buf *out, const struct ftsan_view_frame *frame)
{
	ftsan_text_put(out, ftsan_str_base_name(frame->module));
	ftsan_buf_char(out, '+');
	ftsan_buf_hex(out, frame->offset);
}

static void put_frame(struct ftsan_buf *out, unsigned number,
		      const struct ftsan_view_frame *frame)
{
	char name[FTSAN_SHORT_NAME];

	ftsan_buf_str(out, "    #");
	ftsan_buf_u64(out, number);
	ftsan_buf_char(out, ' ');
	ftsan_text_put(
		out, ftsan_str_some(frame->function)
			     ? ftsan_view_short_name(frame->function, name, sizeof(name))
			     : "<unknown>");
	if (!frame->python && ftsan_str_some(frame->module)) {
		ftsan_buf_char(out, ' ');
		ftsan_text_offset(out, frame);
	}
	if (ftsan_str_some(frame->file)) {
		ftsan_buf_char(out, ' ');
		ftsan_text_put(out, frame->file);
		ftsan_text_line(out, frame->line);
	}
	if (frame->python)
		ftsan_buf_str(out, " (python)");
	ftsan_buf_char(out, '\n');
}

void ftsan_text_frames(struct ftsan_buf *out, const struct ftsan_view_stack *stack)
{
	for (unsigned i = 0; i < stack->n_frames; i++)
		put_frame(out, i, &stack->frames[i]);
	if (stack->n_frames == 0)
		ftsan_buf_str(out, "    [no stack]\n");
	ftsan_buf_char(out, '\n');
}

void ftsan_text_thread(struct ftsan_buf *out, const struct ftsan_view_stack *stack,
		       int pid)
{
	if (stack->tid == 0 && !ftsan_str_some(stack->thread)) {
		ftsan_buf_str(out, "an unknown thread");
		return;
	}
	if (stack->tid != 0 && stack->tid == pid) {
		ftsan_buf_str(out, "main thread");
	} else if (ftsan_str_some(stack->thread)) {
		ftsan_buf_str(out, "thread '");
		ftsan_text_put(out, stack->thread);
		ftsan_buf_char(out, '\'');
	} else {
		ftsan_buf_str(out, "thread");
	}
	if (stack->tid != 0) {
		ftsan_buf_str(out, " (tid=");
		ftsan_buf_i64(out, stack->tid);
		ftsan_buf_char(out, ')');
	}
}
