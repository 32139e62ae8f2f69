#include <string.h>

#include "base/base.h"
#include "view/view.h"

enum { SHORT = 20 }; /* characters of template arguments that are shown */

/* Is the '<' at @at one of operator<, operator<< and the like? */
static bool is_operator(const char *name, const char *at)
{
	static const char word[] = "operator";
	const size_t length = sizeof(word) - 1;

	while (at > name && at[-1] == '<')
		at--;
	return (size_t)(at - name) >= length && strncmp(at - length, word, length) == 0;
}

/* The '>' that closes the '<' at @at; NULL: none does. */
static const char *closing(const char *at)
{
	unsigned depth = 0;

	for (const char *c = at; *c != '\0'; c++) {
		if (*c == '<')
			depth++;
		else if (*c == '>' && c[-1] != '-' && --depth == 0)
			return c;
	}
	return NULL;
}

const char *ftsan_view_short_name(const char *name, char *to, size_t capacity_bytes)
{
	struct ftsan_buf out;
	const char *at = name;

	ftsan_buf_init(&out, to, capacity_bytes);
	while (*at != '\0') {
		const char *end =
			*at == '<' && !is_operator(name, at) ? closing(at) : NULL;

		if (end == NULL) {
			ftsan_buf_char(&out, *at++);
			continue;
		}
		if (end - at - 1 > SHORT)
			ftsan_buf_str(&out, "<...>");
		else
			ftsan_buf_bytes(&out, at, (size_t)(end - at) + 1);
		at = end + 1;
	}
	return ftsan_buf_cstr(&out);
}
