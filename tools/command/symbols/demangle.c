#include "symbols/demangle.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "view/view.h"

typedef char *(*demangler)(const char *name, char *to, size_t *size, int *status);

static demangler open_demangler(void)
{
	static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1"};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(libraries); i++) {
		void *library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
		void *symbol = library != NULL ? dlsym(library, "__cxa_demangle") : NULL;

		if (symbol != NULL)
			return (demangler)symbol;
	}
	return NULL;
}

char *ftsan_demangle(const char *name)
{
	static demangler demangle;
	static int opened;
	int status = 0;

	if (strncmp(name, "_Z", 2) != 0)
		return NULL;
	/* The command has one thread. */
	if (!opened) {
		demangle = open_demangler();
		opened = 1;
	}
	return demangle != NULL ? demangle(name, NULL, NULL, &status) : NULL;
}

/* Where the parameters of "a::f(int, b*) const" begin; not those of operator(), nor of a
 * function that something is local to, which are followed by "::". */
static size_t without_parameters(const char *name)
{
	size_t length = strlen(name), close = length;
	unsigned depth = 0;

	if (length > 6 && strcmp(name + length - 6, " const") == 0)
		close = length - 6;
	if (close == 0 || name[close - 1] != ')')
		return length;
	for (size_t at = close; at-- > 0;) {
		depth += name[at] == ')';
		if (name[at] == '(' && --depth == 0)
			return at > 0 && !(at >= 8 &&
					   memcmp(name + at - 8, "operator", 8) == 0)
				       ? at
				       : length;
	}
	return length;
}

static bool is_name(char letter)
{
	return letter == '_' || letter == '.' || letter == '$' ||
	       (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
	       (letter >= 'A' && letter <= 'Z');
}

/* One word of a text, as it is or demangled. */
static void put_word(FILE *out, const char *word, size_t length)
{
	char *name = ftsan_xprintf("%.*s", (int)length, word);
	char *full = ftsan_demangle(name), brief[FTSAN_SHORT_NAME];

	if (full != NULL) {
		ftsan_view_short_name(full, brief, sizeof(brief));
		fprintf(out, "%.*s", (int)without_parameters(brief), brief);
	} else {
		fputs(name, out);
	}
	free(full);
	free(name);
}

char *ftsan_demangle_text(const char *text)
{
	char *result = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&result, &size);

	if (out == NULL)
		return ftsan_xstrdup(text);
	while (*text != '\0') {
		size_t length = 0;

		while (is_name(text[length]))
			length++;
		if (length == 0)
			fputc(*text++, out);
		else
			put_word(out, text, length);
		text += length;
	}
	if (fclose(out) != 0) {
		free(result);
		return ftsan_xstrdup("");
	}
	return result;
}
