/*
 * A pattern and a text, parted by a line break, held against the same matching done
 * stupidly. A quoted text matches itself and nothing longer.
 */
#include <stdbool.h>

#include "common/pattern.h"
#include "fuzz.h"

/* Time grows with the product of both: enough for every branch. */
enum { MOST = 400 };

/* struct token - one element of a pattern: '*', '?' or a byte */
struct token {
	bool star, any;
	char byte;
};

/* struct parsed - a pattern taken apart once, as pattern.h describes it */
struct parsed {
	struct token tokens[MOST];
	size_t n;
	bool at_start, at_end;
};

static void parse(struct parsed *parsed, const char *pattern)
{
	memset(parsed, 0, sizeof(*parsed));
	for (const char *c = pattern; *c != '\0'; c++) {
		struct token *token = &parsed->tokens[parsed->n];

		if (c == pattern && *c == '^') {
			parsed->at_start = true;
			continue;
		}
		if (*c == '$' && c[1] == '\0') {
			parsed->at_end = true;
			continue;
		}
		parsed->n++;
		if (*c == '\\' && c[1] != '\0') {
			token->byte = *++c;
			continue;
		}
		token->star = *c == '*';
		token->any = *c == '?';
		token->byte = *c;
	}
}

/* reached[j]: the tokens so far match some text[i..j) with an i that is allowed. */
static bool matches_stupidly(const struct parsed *parsed, const char *text)
{
	size_t length = strlen(text);
	bool reached[MOST + 1] = {true}, next[MOST + 1];

	for (size_t j = 0; j <= length; j++)
		reached[j] = !parsed->at_start || j == 0;
	for (size_t n = 0; n < parsed->n; n++) {
		const struct token *token = &parsed->tokens[n];

		for (size_t j = 0; j <= length; j++) {
			if (token->star)
				next[j] = reached[j] || (j > 0 && next[j - 1]);
			else
				next[j] = j > 0 && reached[j - 1] &&
					  (token->any || token->byte == text[j - 1]);
		}
		memcpy(reached, next, sizeof(reached));
	}
	for (size_t j = 0; j < length; j++)
		if (reached[j] && !parsed->at_end)
			return true;
	return reached[length];
}

static void check_quoted(const char *text)
{
	char *quoted = ftsan_pattern_quote(text);
	char *longer = malloc(strlen(text) + 2);

	sprintf(longer, "%sx", text);
	EXPECT(ftsan_pattern_matches(quoted, text));
	EXPECT(!ftsan_pattern_matches(quoted, longer));
	sprintf(longer, "x%s", text);
	EXPECT(!ftsan_pattern_matches(quoted, longer));
	EXPECT(text[0] == '\0' || !ftsan_pattern_matches(quoted, text + 1));
	free(longer);
	free(quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct parsed parsed;
	char *text, *pattern;

	if (size >= MOST)
		return 0;
	pattern = fuzz_text(data, size);
	text = pattern + strcspn(pattern, "\n");
	if (*text != '\0')
		*text++ = '\0';
	parse(&parsed, pattern);
	EXPECT(ftsan_pattern_matches(pattern, text) == matches_stupidly(&parsed, text));
	check_quoted(text);
	free(pattern);
	return 0;
}
