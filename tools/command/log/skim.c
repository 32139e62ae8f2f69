#include "log/skim.h"

#include <string.h>

#include "base/base.h"

enum {
	DEPTH_MAX = 64,
	/* Fewer than what overflows 64 bits. */
	DIGITS_MAX = 17,
};

/* struct skimmer - where we are; the line ends at @end */
struct skimmer {
	const char *at, *end;
	unsigned depth;
	ftsan_skim_member visit;
	void *argument;
};

/* What ends a run of plain text in a string: '"', '\\', controls, all but ASCII. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void skip_space(struct skimmer *s)
{
	while (s->at < s->end &&
	       (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool take(struct skimmer *s, char c)
{
	skip_space(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool skip_word(struct skimmer *s, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
		return false;
	s->at += length;
	return true;
}

/* @escaped: gets whether there was a backslash. */
static bool skip_string(struct skimmer *s, bool *escaped)
{
	*escaped = false;
	if (s->at == s->end || *s->at != '"')
		return false;
	s->at++;
	while (s->at < s->end) {
		while (s->at < s->end && is_plain((unsigned char)*s->at))
			s->at++;
		if (s->end - s->at < 2)
			break;
		if (*s->at != '\\')
			return *s->at++ == '"';
		*escaped = true;
		if (strchr("\"\\/bfnrt", s->at[1]) == NULL || s->at[1] == '\0')
			return false;
		s->at += 2;
	}
	return false;
}

static size_t skip_digits(struct skimmer *s)
{
	const char *from = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return (size_t)(s->at - from);
}

/* No exponents: a record of ours has none, and they may overflow. */
static bool skip_number(struct skimmer *s)
{
	const char *first;
	size_t digits;

	if (s->at < s->end && *s->at == '-')
		s->at++;
	first = s->at;
	digits = skip_digits(s);
	if (digits == 0 || digits > DIGITS_MAX || (digits > 1 && *first == '0'))
		return false;
	if (s->at == s->end || *s->at != '.')
		return s->at < s->end && *s->at != 'e' && *s->at != 'E';
	s->at++;
	digits = skip_digits(s);
	return digits > 0 && digits <= DIGITS_MAX && s->at < s->end && *s->at != 'e' &&
	       *s->at != 'E';
}

static bool skip_value(struct skimmer *s);

static bool skip_list(struct skimmer *s)
{
	s->at++;
	if (take(s, ']'))
		return true;
	do {
		skip_space(s);
		if (!skip_value(s))
			return false;
	} while (take(s, ','));
	return take(s, ']');
}

/* Keys and noted values with a backslash would have to be decoded: not our business. */
static bool skip_member(struct skimmer *s)
{
	const char *key, *value;
	size_t key_length;
	bool escaped;

	skip_space(s);
	key = s->at + 1;
	if (!skip_string(s, &escaped) || escaped)
		return false;
	key_length = (size_t)(s->at - key) - 1;
	if (!take(s, ':'))
		return false;
	skip_space(s);
	value = s->at;
	if (!skip_value(s))
		return false;
	if (s->depth == 1) {
		if (*value == '"' && memchr(value, '\\', (size_t)(s->at - value)) != NULL)
			return false;
		s->visit(s->argument, key, key_length, value, (size_t)(s->at - value));
	}
	return true;
}

static bool skip_object(struct skimmer *s)
{
	s->at++;
	if (take(s, '}'))
		return true;
	do
		if (!skip_member(s))
			return false;
	while (take(s, ','));
	return take(s, '}');
}

static bool skip_nested(struct skimmer *s)
{
	bool good;

	if (s->depth == DEPTH_MAX)
		return false;
	s->depth++;
	good = *s->at == '{' ? skip_object(s) : skip_list(s);
	s->depth--;
	return good;
}

static bool skip_value(struct skimmer *s)
{
	bool escaped;

	if (s->at == s->end)
		return false;
	switch (*s->at) {
	case '{':
	case '[':
		return skip_nested(s);
	case '"':
		return skip_string(s, &escaped);
	case 't':
		return skip_word(s, "true");
	case 'f':
		return skip_word(s, "false");
	case 'n':
		return skip_word(s, "null");
	default:
		return skip_number(s);
	}
}

bool ftsan_skim_members(const char *line, size_t length, ftsan_skim_member visit,
			void *argument)
{
	struct skimmer s = {
		.at = line, .end = line + length, .visit = visit, .argument = argument};

	skip_space(&s);
	if (s.at == s.end || *s.at != '{' || !skip_value(&s))
		return false;
	skip_space(&s);
	return s.at == s.end;
}

/* A ftsan_skim_member. */
static void note(void *argument, const char *key, size_t key_length, const char *value,
		 size_t length)
{
	static const char *const names[FTSAN_SKIM_FIELDS] = {
		"v",	"type",	 "kind", "fingerprint", "confidence", "evidence",
		"time", "tests", "path", "build_id",	"tid",
	};
	struct ftsan_skim *skim = argument;

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(names); i++) {
		bool string = *value == '"';

		if (strlen(names[i]) != key_length || memcmp(names[i], key, key_length))
			continue;
		skim->fields[i].text = value + string;
		skim->fields[i].length = length - 2 * string;
		skim->fields[i].string = string;
	}
}

bool ftsan_skim(struct ftsan_skim *skim, const char *line, size_t length)
{
	memset(skim, 0, sizeof(*skim));
	return ftsan_skim_members(line, length, note, skim);
}

bool ftsan_skim_is(const struct ftsan_skim *skim, enum ftsan_skim_field field,
		   const char *text)
{
	return skim->fields[field].string && skim->fields[field].length == strlen(text) &&
	       memcmp(skim->fields[field].text, text, skim->fields[field].length) == 0;
}

bool ftsan_skim_copy(const struct ftsan_skim *skim, enum ftsan_skim_field field, char *to,
		     size_t size)
{
	size_t length = skim->fields[field].length;

	if (length >= size)
		return false;
	if (length > 0)
		memcpy(to, skim->fields[field].text, length);
	to[length] = '\0';
	return true;
}
