/* The words of an array's header: which there are, where, and what they are called. */
#ifndef FTSAN_NUMPY_WORDS_H
#define FTSAN_NUMPY_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "words/words.h"

struct ftsan_object;

/* In the order of what is most often changed behind an array's back. */
enum ftsan_header_word {
	FTSAN_HEADER_FLAGS,
	FTSAN_HEADER_DESCR,
	FTSAN_HEADER_ND,
	FTSAN_HEADER_DIMENSIONS,
	FTSAN_HEADER_STRIDES,
	FTSAN_HEADER_BASE,
	/* A list of what was told of the array's buffer; under a lock since 2.4.2. */
	FTSAN_HEADER_BUFFER_INFO,
	FTSAN_HEADER_WORDS,
	FTSAN_HEADER_COMPARED = FTSAN_HEADER_BUFFER_INFO, /* the words before it */
};

/* The word of the array at @header; its number is the point's tag. Pure. */
struct ftsan_watchpoint ftsan_header_point(uintptr_t header, unsigned word);

/* What a finding says of it. @out: cleared. Async-signal-safe. */
void ftsan_header_describe(const struct ftsan_watchpoint *point,
			   struct ftsan_object *out);

/**
 * ftsan_header_name_field() - what a finding calls a field of an object, as the engine of
 * header words does
 * @type:   tp_name of the object's type
 * @object: the object; need not be one any more
 * @offset: bytes from its begin
 * @out:    cleared; filled in when the field has a name
 *
 * Context: any, async-signal-safe. Return: false: no array, or no field of it by name.
 */
bool ftsan_header_name_field(const char *type, uintptr_t object, uint64_t offset,
			     struct ftsan_object *out);

#endif
