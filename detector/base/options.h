/* FTSAN_OPTIONS: one table, one parser, for the runtime and the command alike. */
#ifndef FTSAN_OPTIONS_H
#define FTSAN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fmt.h"

enum { FTSAN_OPTION_STRING_MAX = 1024 };

/* struct ftsan_options - one member for each line of options.def, same name */
struct ftsan_options {
#define FTSAN_OPTION(type, name, default_, min, max, unit, help)                         \
	FTSAN_OPTION_MEMBER_##type(name)
#define FTSAN_OPTION_MEMBER_bool(name) bool name;
#define FTSAN_OPTION_MEMBER_uint(name) uint32_t name;
#define FTSAN_OPTION_MEMBER_string(name) char name[FTSAN_OPTION_STRING_MAX];
#include "base/options.def"
#undef FTSAN_OPTION
};

/* Fills in the defaults. */
void ftsan_options_init(struct ftsan_options *options);

/**
 * ftsan_options_parse() - apply "key=value:key=value" to options
 * @options: changed member by member; a bad entry leaves its member alone
 * @text:    may be NULL or empty. A value ends at the next ':' unless it is quoted
 *           with '...' or "...", as in the sanitizers
 * @errors:  gets one line for each bad entry (unknown key with the nearest known one,
 *           not a number, out of range with the range, unfinished quote)
 *
 * Context: async-signal-safe, no allocation; runs before main.
 * Return:  number of bad entries.
 */
unsigned ftsan_options_parse(struct ftsan_options *options, const char *text,
			     struct ftsan_buf *errors);

/* Does the mode include races, or latent hazards? Pure. */
bool ftsan_options_race(const struct ftsan_options *options);
bool ftsan_options_latent(const struct ftsan_options *options);

/* Prints the table: name, unit, default, range, meaning, as aligned text. */
void ftsan_options_help(struct ftsan_buf *out);

#endif
