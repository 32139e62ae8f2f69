/* From "key=value:key=value" to the options. */
#include "base/options.h"

#include <string.h>

#include "base/annot.h"
#include "base/options_table.h"

/**
 * struct entry - one key=value
 * @key, @value: the value without its quotes
 * @problem:     what is wrong with the entry's form; NULL when nothing is
 */
struct entry {
	struct ftsan_slice key;
	struct ftsan_slice value;
	const char *problem;
};

/* Quoted for a message; control characters would garble the one line it must be. */
static void put_slice(struct ftsan_buf *out, struct ftsan_slice slice)
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

static void *member(struct ftsan_options *options, const struct ftsan_option *option)
{
	return (char *)options + option->offset;
}

static void store_number(struct ftsan_options *options, const struct ftsan_option *option,
			 uint32_t number)
{
	if (option->type == FTSAN_OPTION_bool)
		*(bool *)member(options, option) = number != 0;
	else
		*(uint32_t *)member(options, option) = number;
}

static void store_string(struct ftsan_options *options, const struct ftsan_option *option,
			 struct ftsan_slice value)
{
	char *to = member(options, option);

	memcpy(to, value.text, value.length);
	to[value.length] = '\0';
}

void ftsan_options_init(struct ftsan_options *options)
{
	const struct ftsan_option *option;

	memset(options, 0, sizeof(*options));
	for (size_t i = 0; (option = ftsan_option_at(i)) != NULL; i++) {
		if (option->type == FTSAN_OPTION_string)
			store_string(
				options, option,
				(struct ftsan_slice){option->text, strlen(option->text)});
		else
			store_number(options, option, option->number);
	}
}

/* take_value() - the value at @text into @entry; where the entry ends. */
static const char *take_value(const char *text, struct entry *entry)
{
	const char *end;

	if (*text != '\'' && *text != '"') {
		entry->value = (struct ftsan_slice){text, strcspn(text, ":")};
		return text + entry->value.length;
	}
	end = strchr(text + 1, *text);
	if (end == NULL) {
		entry->problem = "unfinished quote";
		return text + strlen(text);
	}
	entry->value = (struct ftsan_slice){text + 1, (size_t)(end - text - 1)};
	end++;
	if (*end != ':' && *end != '\0')
		entry->problem = "text after the closing quote";
	return end + strcspn(end, ":");
}

static const char *take_entry(const char *text, struct entry *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->key = (struct ftsan_slice){text, strcspn(text, "=:")};
	text += entry->key.length;
	if (*text == '=')
		return take_value(text + 1, entry);
	entry->problem = "no value; write key=value";
	return text;
}

static void complain_unknown(struct ftsan_buf *errors, struct ftsan_slice key)
{
	const char *nearest = ftsan_option_nearest(key);

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

static void complain(struct ftsan_buf *errors, struct ftsan_slice key,
		     const char *problem)
{
	ftsan_buf_str(errors, "option ");
	put_slice(errors, key);
	ftsan_buf_str(errors, ": ");
	ftsan_buf_str(errors, problem);
	ftsan_buf_char(errors, '\n');
}

/* A string option whose unit reads "a|b|c" takes one of these words only. */
static bool is_choice_list(const struct ftsan_option *option)
{
	return option->type == FTSAN_OPTION_string && strchr(option->unit, '|') != NULL;
}

static void complain_value(struct ftsan_buf *errors, const struct ftsan_option *option,
			   struct ftsan_slice value, const char *problem)
{
	ftsan_buf_str(errors, "option '");
	ftsan_buf_str(errors, option->name);
	ftsan_buf_str(errors, "': ");
	put_slice(errors, value);
	ftsan_buf_str(errors, problem);
	if (option->type == FTSAN_OPTION_uint) {
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
static bool parse_number(struct ftsan_slice value, uint64_t *number)
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

static bool parse_bool(struct ftsan_slice value, uint32_t *number)
{
	static const char *const words[2][4] = {{"0", "false", "no", "off"},
						{"1", "true", "yes", "on"}};

	for (uint32_t n = 0; n < 2; n++) {
		for (size_t i = 0; i < FTSAN_ARRAY_LEN(words[n]); i++) {
			if (ftsan_slice_is(value, words[n][i])) {
				*number = n;
				return true;
			}
		}
	}
	return false;
}

static bool is_choice(const char *choices, struct ftsan_slice value)
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

static bool apply_uint(struct ftsan_options *options, const struct ftsan_option *option,
		       struct ftsan_slice value, struct ftsan_buf *errors)
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

static bool apply_bool(struct ftsan_options *options, const struct ftsan_option *option,
		       struct ftsan_slice value, struct ftsan_buf *errors)
{
	uint32_t number;

	if (!parse_bool(value, &number)) {
		complain_value(errors, option, value, " is neither 0 nor 1");
		return false;
	}
	store_number(options, option, number);
	return true;
}

static bool apply_string(struct ftsan_options *options, const struct ftsan_option *option,
			 struct ftsan_slice value, struct ftsan_buf *errors)
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
	const struct ftsan_option *option = ftsan_option_find(entry->key);

	if (option == NULL) {
		complain_unknown(errors, entry->key);
		return false;
	}
	if (entry->problem != NULL) {
		complain(errors, entry->key, entry->problem);
		return false;
	}
	switch (option->type) {
	case FTSAN_OPTION_bool:
		return apply_bool(options, option, entry->value, errors);
	case FTSAN_OPTION_uint:
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
