/* Source lines and function names of native frames, from the files on disk. */
#ifndef FTSAN_TOOLS_SYMBOLIZE_H
#define FTSAN_TOOLS_SYMBOLIZE_H

#include <stdbool.h>

#include "view.h"

struct ftsan_symbolizer;

/* Return: never NULL. Ownership: released with ftsan_symbolizer_close(). */
struct ftsan_symbolizer *ftsan_symbolizer_open(void);
void ftsan_symbolizer_close(struct ftsan_symbolizer *symbolizer);

/**
 * ftsan_symbolize() - complete a native frame
 * @frame:    gets file, line, and a function name if it has none or a mangled one; left
 *            alone where nothing is known. The strings live as long as @symbolizer
 * @build_id: that the module had when it ran, in lower-case hex; NULL when unknown.
 *            A file with another one is not looked at: its lines would be lies
 * @exact:    the offset is that of the instruction, not a return address
 */
void ftsan_symbolize(struct ftsan_symbolizer *symbolizer, struct ftsan_view_frame *frame,
		     const char *build_id, bool exact);

/* Modules whose file is not (or no longer) the one that ran. */
unsigned ftsan_symbolizer_mismatches(const struct ftsan_symbolizer *symbolizer);

#endif
