/* Parts of the text report that more than one file writes. Private to the room. */
#ifndef FTSAN_TEXT_PARTS_H
#define FTSAN_TEXT_PARTS_H

#include "view/view.h"

/* Text of the program's, without what would fake lines or reach the terminal. */
void ftsan_text_put(struct ftsan_buf *out, const char *text);
/* "main thread", "thread 'name' (tid=1)" */
void ftsan_text_thread(struct ftsan_buf *out, const struct ftsan_view_stack *stack,
		       int pid);
void ftsan_text_frames(struct ftsan_buf *out, const struct ftsan_view_stack *stack);
/* ":12", and "module.so+0x1230". */
void ftsan_text_line(struct ftsan_buf *out, int32_t line);
void ftsan_text_offset(struct ftsan_buf *out, const struct ftsan_view_frame *frame);

#endif
