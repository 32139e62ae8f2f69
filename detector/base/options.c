#include "base/options.h"

#include <string.h>

#include "base/annot.h"
#include "base/options_table.h"

#define ROW_NUMBER(type_, name_, default_, min_, max_, unit_, help_)                     \
	{.type = (type_),                                                                \
	 .name = #name_,                                                                 \
	 .offset = offsetof(struct ftsan_options, name_),                                \
	 .number = (default_),                                                           \
	 .min = (min_),                                                                  \
	 .max = (max_),                                                                  \
	 .unit = (unit_),                                                                \
	 .help = (help_)},
#define ROW_bool(...) ROW_NUMBER(FTSAN_OPTION_bool, __VA_ARGS__)
#define ROW_uint(...) ROW_NUMBER(FTSAN_OPTION_uint, __VA_ARGS__)
#define ROW_string(name_, default_, min_, max_, unit_, help_)                            \
	{.type = FTSAN_OPTION_string,                                                    \
	 .name = #name_,                                                                 \
	 .offset = offsetof(struct ftsan_options, name_),                                \
	 .text = (default_),                                                             \
	 .unit = (unit_),                                                                \
	 .help = (help_)},

static const struct ftsan_option table[] = {
#define FTSAN_OPTION(type, name, default_, min, max, unit, help)                         \
	ROW_##type(name, default_, min, max, unit, help)
#include "base/options.def"
#undef FTSAN_OPTION
};

const struct ftsan_option *ftsan_option_at(size_t number)
{
	return number < FTSAN_ARRAY_LEN(table) ? &table[number] : NULL;
}

enum { NAME_MAX_CHARS = 24 };

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Edits (insert, delete, replace, swap of neighbours) between @key and @name; rows of
 * the usual matrix, the last three kept. Both are at most NAME_MAX_CHARS long.
 */
static unsigned edit_distance(struct ftsan_slice key, const char *name,
			      size_t name_length)
{
	unsigned rows[3][NAME_MAX_CHARS + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= name_length; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= key.length; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= name_length; j++) {
			bool same = key.text[i - 1] == name[j - 1];

			row[j] = min_of(last[j - 1] + (same ? 0 : 1),
					min_of(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && key.text[i - 1] == name[j - 2] &&
			    key.text[i - 2] == name[j - 1])
				row[j] = min_of(row[j], before[j - 2] + 1);
		}
		spare = before, before = last, last = row, row = spare;
	}
	return last[name_length];
}

const char *ftsan_option_nearest(struct ftsan_slice key)
{
	const char *best = NULL;
	unsigned best_distance;

	if (key.length == 0 || key.length > NAME_MAX_CHARS)
		return NULL;
	best_distance = (unsigned)key.length / 3 + 2;
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(table); i++) {
		size_t length = strlen(table[i].name);
		unsigned distance;

		if (length > NAME_MAX_CHARS)
			continue;
		distance = edit_distance(key, table[i].name, length);
		if (distance < best_distance && distance < length) {
			best = table[i].name;
			best_distance = distance;
		}
	}
	return best;
}

/* Names that options had before: taken as ever, and not shown. */
static const struct {
	const char *before, *now;
} renamed[] = {{"young", "short_lived"}};

const struct ftsan_option *ftsan_option_find(struct ftsan_slice key)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(renamed); i++)
		if (ftsan_slice_is(key, renamed[i].before))
			key = (struct ftsan_slice){renamed[i].now,
						   strlen(renamed[i].now)};
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(table); i++)
		if (ftsan_slice_is(key, table[i].name))
			return &table[i];
	return NULL;
}

bool ftsan_options_race(const struct ftsan_options *options)
{
	return strcmp(options->mode, "latent") != 0;
}

bool ftsan_options_latent(const struct ftsan_options *options)
{
	return strcmp(options->mode, "race") != 0;
}
