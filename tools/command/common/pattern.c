#include "common/pattern.h"

#include <stddef.h>
#include <string.h>

#include "common/xmemory.h"

/* The length of what stands at @pattern: a character, or a backslash and one. */
static size_t unit(const char *pattern)
{
	return pattern[0] == '\\' && pattern[1] != '\0' ? 2 : 1;
}

static bool fits(const char *pattern, char c)
{
	if (unit(pattern) == 2)
		return pattern[1] == c;
	return pattern[0] == '?' || pattern[0] == c;
}

/* Does the pattern, which ends at @end, begin at @text? @to_end: and end where it ends?
 */
static bool matches_from_here(const char *pattern, const char *end, const char *text,
			      bool to_end)
{
	const char *star = NULL, *resume = NULL;

	for (;;) {
		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			resume = text;
			continue;
		}
		if (pattern == end && (!to_end || *text == '\0'))
			return true;
		if (pattern < end && *text != '\0' && fits(pattern, *text)) {
			pattern += unit(pattern);
			text++;
			continue;
		}
		/* The last '*' takes one more; earlier ones never have to. */
		if (star == NULL || *resume == '\0')
			return false;
		pattern = star;
		text = ++resume;
	}
}

/* Is the '$' at the end of the pattern one, or is it quoted? */
static bool is_anchored_at_end(const char *pattern, const char *end)
{
	const char *last = NULL;

	for (; pattern < end; pattern += unit(pattern))
		last = pattern;
	return last != NULL && last + 1 == end && *last == '$';
}

bool ftsan_pattern_matches(const char *pattern, const char *text)
{
	const char *end = pattern + strlen(pattern);
	bool to_end = is_anchored_at_end(pattern, end);

	if (to_end)
		end--;
	if (pattern < end && *pattern == '^')
		return matches_from_here(pattern + 1, end, text, to_end);
	do
		if (matches_from_here(pattern, end, text, to_end))
			return true;
	while (*text++ != '\0');
	return false;
}

char *ftsan_pattern_quote(const char *text)
{
	/* Both anchors and the end, and a backslash for each character. */
	char *quoted = ftsan_xcalloc(strlen(text) + 2, 2), *to = quoted;

	*to++ = '^';
	for (; *text != '\0'; text++) {
		if (strchr("*?^$\\#", *text) != NULL)
			*to++ = '\\';
		*to++ = *text;
	}
	*to = '$';
	return quoted;
}
