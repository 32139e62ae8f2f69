/* Stacks and their parts as a person reads them: brief.h. */
#ifndef FTSAN_TOOLS_BRIEF_STACK_H
#define FTSAN_TOOLS_BRIEF_STACK_H

#include <stdbool.h>
#include <stdio.h>

#include "view/view.h"

/* " work.py:7", " umath.so+0x12", or nothing. @directory: see ftsan_brief. */
void ftsan_brief_place(FILE *out, const struct ftsan_view_frame *frame,
		       const char *directory);
void ftsan_brief_function(FILE *out, const struct ftsan_view_frame *frame);

/* " by thread 'worker' (tid=7)" */
void ftsan_brief_thread(FILE *out, const struct ftsan_view_stack *stack, int pid);

/* ", in Unpacker.feed of the Unpacker at 0x...", or nothing. */
void ftsan_brief_operation(FILE *out, const struct ftsan_view_stack *stack);

/* "Write", "Concurrent read": the beginning of a sentence. */
const char *ftsan_brief_deed(const struct ftsan_view_stack *stack, bool concurrent);

/* Several lines; reads source files. */
void ftsan_brief_stack(FILE *out, const struct ftsan_view *view, unsigned index,
		       const char *directory);

#endif
