/* The table of options (options.c), for who parses and for who prints it. Pure. */
#ifndef FTSAN_OPTIONS_TABLE_H
#define FTSAN_OPTIONS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum ftsan_option_type { FTSAN_OPTION_bool, FTSAN_OPTION_uint, FTSAN_OPTION_string };

/* One line of options.def; @text is the default of a string, @number of the others. */
struct ftsan_option {
	const char *name;
	size_t offset;
	enum ftsan_option_type type;
	uint32_t number, min, max;
	const char *text;
	const char *unit;
	const char *help;
};

/* Part of a text. */
struct ftsan_slice {
	const char *text;
	size_t length;
};

static inline bool ftsan_slice_is(struct ftsan_slice slice, const char *text)
{
	return slice.length == strlen(text) &&
	       memcmp(slice.text, text, slice.length) == 0;
}

/* In the order of the table; NULL past its end. */
const struct ftsan_option *ftsan_option_at(size_t number);

/* By its name, or one that it had before; NULL: there is none. */
const struct ftsan_option *ftsan_option_find(struct ftsan_slice key);

/* The known name that @key may have been meant for, or NULL. */
const char *ftsan_option_nearest(struct ftsan_slice key);

#endif
