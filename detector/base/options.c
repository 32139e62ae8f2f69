#include "base/options.h"

#include <stddef.h>
#include <string.h>

#include "base/annot.h"

enum option_type { OPTION_bool, OPTION_uint, OPTION_string };

/* One line of options.def; @text is the default of a string, @number of the others. */
struct option {
	const char *name;
	size_t offset;
	enum option_type type;
	uint32_t number, min, max;
	const char *text;
	const char *unit;
	const char *help;
};

#define ROW_NUMBER(type_, name_, default_, min_, max_, unit_, help_)                     \
	{.type = (type_),                                                                \
	 .name = #name_,                                                                 \
	 .offset = offsetof(struct ftsan_options, name_),                                \
	 .number = (default_),                                                           \
	 .min = (min_),                                                                  \
	 .max = (max_),                                                                  \
	 .unit = (unit_),                                                                \
	 .help = (help_)},
#define ROW_bool(...) ROW_NUMBER(OPTION_bool, __VA_ARGS__)
#define ROW_uint(...) ROW_NUMBER(OPTION_uint, __VA_ARGS__)
#define ROW_string(name_, default_, min_, max_, unit_, help_)                            \
	{.type = OPTION_string,                                                          \
	 .name = #name_,                                                                 \
	 .offset = offsetof(struct ftsan_options, name_),                                \
	 .text = (default_),                                                             \
	 .unit = (unit_),                                                                \
	 .help = (help_)},

static const struct option table[] = {
#define FTSAN_OPTION(type, name, default_, min, max, unit, help)                         \
	ROW_##type(name, default_, min, max, unit, help)
#include "base/options.def"
#undef FTSAN_OPTION
};

/* Part of the text that is being parsed. */
struct slice {
	const char *text;
	size_t length;
};

/**
 * struct entry - one key=value
 * @key, @value: the value without its quotes
 * @problem:     what is wrong with the entry's form; NULL when nothing is
 */
struct entry {
	struct slice key;
	struct slice value;
	const char *problem;
};

static bool slice_equal(struct slice slice, const char *text)
{
	return slice.length == strlen(text) &&
	       memcmp(slice.text, text, slice.length) == 0;
}

/* Quoted for a message; control characters would garble the one line it must be. */
static void put_slice(struct ftsan_buf *out, struct slice slice)
{
	enum { SHOWN_MAX = 64 };

	ftsan_buf_char(out, '\'');
	for (size_t i = 0; i < slice.length && i < SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)slice.text[i];

		ftsan_buf_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
	if (slice.length > SHOWN_MAX)
		ftsan_buf_str(out, "...");
	ftsan_buf_char(out, '\'');
}

static void *member(struct ftsan_options *options, const struct option *option)
{
	return (char *)options + option->offset;
}

static void store_number(struct ftsan_options *options, const struct option *option,
			 uint32_t number)
{
	if (option->type == OPTION_bool)
		*(bool *)member(options, option) = number != 0;
	else
		*(uint32_t *)member(options, option) = number;
}

static void store_string(struct ftsan_options *options, const struct option *option,
			 struct slice value)
{
	char *to = member(options, option);

	memcpy(to, value.text, value.length);
	to[value.length] = '\0';
}

void ftsan_options_init(struct ftsan_options *options)
{
	memset(options, 0, sizeof(*options));
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(table); i++) {
		const struct option *option = &table[i];

		if (option->type == OPTION_string)
			store_string(options, option,
				     (struct slice){option->text, strlen(option->text)});
		else
			store_number(options, option, option->number);
	}
}

/* take_value() - the value at @text into @entry; where the entry ends. */
static const char *take_value(const char *text, struct entry *entry)
{
	const char *end;

	if (*text != '\'' && *text != '"') {
		entry->value = (struct slice){text, strcspn(text, ":")};
		return text + entry->value.length;
	}
	end = strchr(text + 1, *text);
	if (end == NULL) {
		entry->problem = "unfinished quote";
		return text + strlen(text);
	}
	entry->value = (struct slice){text + 1, (size_t)(end - text - 1)};
	end++;
	if (*end != ':' && *end != '\0')
		entry->problem = "text after the closing quote";
	return end + strcspn(end, ":");
}

static const char *take_entry(const char *text, struct entry *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->key = (struct slice){text, strcspn(text, "=:")};
	text += entry->key.length;
	if (*text == '=')
		return take_value(text + 1, entry);
	entry->problem = "no value; write key=value";
	return text;
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
static unsigned edit_distance(struct slice key, const char *name, size_t name_length)
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

/* The known name that @key may have been meant for, or NULL. */
static const char *nearest_name(struct slice key)
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

static const struct option *find_option(struct slice key)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(renamed); i++)
		if (slice_equal(key, renamed[i].before))
			key = (struct slice){renamed[i].now, strlen(renamed[i].now)};
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(table); i++)
		if (slice_equal(key, table[i].name))
			return &table[i];
	return NULL;
}

static void complain_unknown(struct ftsan_buf *errors, struct slice key)
{
	const char *nearest = nearest_name(key);

	ftsan_buf_str(errors, "unknown option ");
	put_slice(errors, key);
	if (nearest != NULL) {
		ftsan_buf_str(errors, "; did you mean '");
		ftsan_buf_str(errors, nearest);
		ftsan_buf_str(errors, "'?");
	} else {
		ftsan_buf_str(errors, "; help=1 prints those there are");
	}
	ftsan_buf_char(errors, '\n');
}

static void complain(struct ftsan_buf *errors, struct slice key, const char *problem)
{
	ftsan_buf_str(errors, "option ");
	put_slice(errors, key);
	ftsan_buf_str(errors, ": ");
	ftsan_buf_str(errors, problem);
	ftsan_buf_char(errors, '\n');
}

/* A string option whose unit reads "a|b|c" takes one of these words only. */
static bool is_choice_list(const struct option *option)
{
	return option->type == OPTION_string && strchr(option->unit, '|') != NULL;
}

static void complain_value(struct ftsan_buf *errors, const struct option *option,
			   struct slice value, const char *problem)
{
	ftsan_buf_str(errors, "option '");
	ftsan_buf_str(errors, option->name);
	ftsan_buf_str(errors, "': ");
	put_slice(errors, value);
	ftsan_buf_str(errors, problem);
	if (option->type == OPTION_uint) {
		ftsan_buf_str(errors, "; it takes ");
		ftsan_buf_u64(errors, option->min);
		ftsan_buf_str(errors, " to ");
		ftsan_buf_u64(errors, option->max);
		ftsan_buf_char(errors, ' ');
		ftsan_buf_str(errors, option->unit);
	} else if (is_choice_list(option)) {
		ftsan_buf_str(errors, "; it takes ");
		ftsan_buf_str(errors, option->unit);
	}
	ftsan_buf_char(errors, '\n');
}

/* Digits only; anything above 32 bits saturates, and so is out of every range. */
static bool parse_number(struct slice value, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < value.length; i++) {
		if (value.text[i] < '0' || value.text[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t)(value.text[i] - '0');
		if (*number > UINT32_MAX)
			*number = (uint64_t)UINT32_MAX + 1;
	}
	return value.length > 0;
}

static bool parse_bool(struct slice value, uint32_t *number)
{
	static const char *const words[2][4] = {{"0", "false", "no", "off"},
						{"1", "true", "yes", "on"}};

	for (uint32_t n = 0; n < 2; n++) {
		for (size_t i = 0; i < FTSAN_ARRAY_LEN(words[n]); i++) {
			if (slice_equal(value, words[n][i])) {
				*number = n;
				return true;
			}
		}
	}
	return false;
}

static bool is_choice(const char *choices, struct slice value)
{
	for (;;) {
		size_t length = strcspn(choices, "|");

		if (value.length == length && memcmp(value.text, choices, length) == 0)
			return true;
		if (choices[length] == '\0')
			return false;
		choices += length + 1;
	}
}

static bool apply_uint(struct ftsan_options *options, const struct option *option,
		       struct slice value, struct ftsan_buf *errors)
{
	uint64_t number;

	if (!parse_number(value, &number)) {
		complain_value(errors, option, value, " is not a number");
		return false;
	}
	if (number < option->min || number > option->max) {
		complain_value(errors, option, value, " is out of range");
		return false;
	}
	store_number(options, option, (uint32_t)number);
	return true;
}

static bool apply_bool(struct ftsan_options *options, const struct option *option,
		       struct slice value, struct ftsan_buf *errors)
{
	uint32_t number;

	if (!parse_bool(value, &number)) {
		complain_value(errors, option, value, " is neither 0 nor 1");
		return false;
	}
	store_number(options, option, number);
	return true;
}

static bool apply_string(struct ftsan_options *options, const struct option *option,
			 struct slice value, struct ftsan_buf *errors)
{
	if (is_choice_list(option) && !is_choice(option->unit, value)) {
		complain_value(errors, option, value, " is not known");
		return false;
	}
	if (value.length >= FTSAN_OPTION_STRING_MAX) {
		complain_value(errors, option, value, " is too long");
		return false;
	}
	store_string(options, option, value);
	return true;
}

static bool apply(struct ftsan_options *options, const struct entry *entry,
		  struct ftsan_buf *errors)
{
	const struct option *option = find_option(entry->key);

	if (option == NULL) {
		complain_unknown(errors, entry->key);
		return false;
	}
	if (entry->problem != NULL) {
		complain(errors, entry->key, entry->problem);
		return false;
	}
	switch (option->type) {
	case OPTION_bool:
		return apply_bool(options, option, entry->value, errors);
	case OPTION_uint:
		return apply_uint(options, option, entry->value, errors);
	default:
		return apply_string(options, option, entry->value, errors);
	}
}

unsigned ftsan_options_parse(struct ftsan_options *options, const char *text,
			     struct ftsan_buf *errors)
{
	struct entry entry;
	unsigned bad = 0;

	if (text == NULL)
		return 0;
	while (*text != '\0') {
		if (*text == ':') {
			text++;
			continue;
		}
		text = take_entry(text, &entry);
		if (!apply(options, &entry, errors))
			bad++;
	}
	return bad;
}

/* Columns of the help table. */
enum { COLUMN_NAME = 2, COLUMN_DEFAULT = 18, COLUMN_VALUES = 27, COLUMN_HELP = 51 };

/* Pads the line that began at @line up to @column, by one space at least. */
static void pad(struct ftsan_buf *out, size_t line, size_t column)
{
	do
		ftsan_buf_char(out, ' ');
	while (out->length - line < column && !out->truncated);
}

static void put_default(struct ftsan_buf *out, const struct option *option)
{
	if (option->type != OPTION_string)
		ftsan_buf_u64(out, option->number);
	else
		ftsan_buf_str(out, option->text[0] != '\0' ? option->text : "\"\"");
}

static void put_values(struct ftsan_buf *out, const struct option *option)
{
	if (option->type == OPTION_uint) {
		ftsan_buf_u64(out, option->min);
		ftsan_buf_str(out, "..");
		ftsan_buf_u64(out, option->max);
		ftsan_buf_char(out, ' ');
	}
	ftsan_buf_str(out, option->unit);
}

void ftsan_options_help(struct ftsan_buf *out)
{
	size_t line = out->length;

	ftsan_buf_str(out, "  name");
	pad(out, line, COLUMN_DEFAULT);
	ftsan_buf_str(out, "default");
	pad(out, line, COLUMN_VALUES);
	ftsan_buf_str(out, "values, unit");
	pad(out, line, COLUMN_HELP);
	ftsan_buf_str(out, "meaning\n");
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(table); i++) {
		line = out->length;
		pad(out, line, COLUMN_NAME);
		ftsan_buf_str(out, table[i].name);
		pad(out, line, COLUMN_DEFAULT);
		put_default(out, &table[i]);
		pad(out, line, COLUMN_VALUES);
		put_values(out, &table[i]);
		pad(out, line, COLUMN_HELP);
		ftsan_buf_str(out, table[i].help);
		ftsan_buf_char(out, '\n');
	}
}

bool ftsan_options_race(const struct ftsan_options *options)
{
	return strcmp(options->mode, "latent") != 0;
}

bool ftsan_options_latent(const struct ftsan_options *options)
{
	return strcmp(options->mode, "race") != 0;
}
