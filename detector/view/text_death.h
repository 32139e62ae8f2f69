/* The part of a report about how the process died. Private to the room. */
#ifndef FTSAN_TEXT_DEATH_H
#define FTSAN_TEXT_DEATH_H

#include "view/view.h"

/* A paragraph, the stacks that tell it, a line for each other thread. */
void ftsan_text_death(struct ftsan_buf *out, const struct ftsan_view *view);

#endif
