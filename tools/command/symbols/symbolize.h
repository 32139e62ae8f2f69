/*
 * Source lines, function names and inlined calls of native frames, from the files on
 * disk: those of this machine, or copies of another one's.
 */
#ifndef FTSAN_TOOLS_SYMBOLIZE_H
#define FTSAN_TOOLS_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "symbols/symbolizer_options.h"
#include "view/view.h"

/**
 * struct ftsan_chain - what one address stands for
 * @frames: @n of them, innermost first: functions that the compiler inlined, then the one
 *          that holds the address. They live as long as the symbolizer
 */
struct ftsan_chain {
	struct ftsan_view_frame *frames;
	unsigned n;
};

struct ftsan_symbolizer;

/* @options: borrowed. Return: never NULL; released with ftsan_symbolizer_close(). */
struct ftsan_symbolizer *
ftsan_symbolizer_open(const struct ftsan_symbolizer_options *options);
void ftsan_symbolizer_close(struct ftsan_symbolizer *symbolizer);

/**
 * ftsan_symbolize() - complete a native frame
 * @frame:    as it is in the log; a name or file that it has is kept
 * @build_id: that the module had when it ran, in lower-case hex; NULL when unknown.
 *            A file with another one is not used: its lines would be lies
 * @exact:    the offset is that of the instruction, not a return address
 *
 * Return: one frame at least.
 */
const struct ftsan_chain *ftsan_symbolize(struct ftsan_symbolizer *symbolizer,
					  const struct ftsan_view_frame *frame,
					  const char *build_id, bool exact);

/**
 * struct ftsan_static_name - a static variable; strings live as long as the symbolizer
 * @name: demangled
 * @part: of it: ".code_cache.count", "[3]"; "" when it is not known
 */
struct ftsan_static_name {
	const char *name, *part;
};

/**
 * ftsan_symbolize_static() - the variable that holds a word of a module's data
 * @module:   absolute path; @build_id: as above
 * @offset:   in the file's own addresses
 *
 * Return: false: it has no name.
 */
bool ftsan_symbolize_static(struct ftsan_symbolizer *symbolizer, const char *module,
			    const char *build_id, uint64_t offset,
			    struct ftsan_static_name *name);

/* Modules whose file is not (or no longer) the one that ran. */
unsigned ftsan_symbolizer_mismatches(const struct ftsan_symbolizer *symbolizer);

/* Calls @visit with a sentence about each of them. */
void ftsan_symbolizer_tell_mismatches(const struct ftsan_symbolizer *symbolizer,
				      void (*visit)(void *to, const char *sentence),
				      void *to);

#endif
