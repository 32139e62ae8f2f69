/* Patterns as the sanitizers' suppressions have them. */
#ifndef FTSAN_TOOLS_PATTERN_H
#define FTSAN_TOOLS_PATTERN_H

#include <stdbool.h>

/**
 * ftsan_pattern_matches() - is @pattern somewhere in @text?
 * @pattern: '*' stands for any text, '?' for one byte, '^' at its beginning for the
 *           beginning of @text, '$' at its end for the end; a backslash takes the
 *           meaning away from the next character
 *
 * Pure. Time: at most the product of both lengths.
 */
bool ftsan_pattern_matches(const char *pattern, const char *text);

/* The pattern that matches @text and nothing else; malloc'ed. */
char *ftsan_pattern_quote(const char *text);

#endif
