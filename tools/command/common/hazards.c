#include "common/hazards.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/*
 * Sources: the issues named, and the release notes of the versions with the fix. What has
 * no number was found by ftsan (docs/findings.md).
 */
static const struct ftsan_hazard hazards[] = {
	{"numpy", "numpy#28197", "2.1.0", "2.2.3",
	 "np.repeat stores to the shape of its input: wrong results, heap overflow",
	 "PyArray_Repeat"},
	{"numpy", "numpy#27955", "2.2.0", "2.2.1",
	 "use after free in a hash table that all operations use", NULL},
	{"numpy", "numpy#28813", "2.1.0", "2.2.6",
	 "StringDType stores to a descriptor that arrays share", NULL},
	{"numpy", "numpy#30234", "2.1.0", "2.4.0",
	 "the hash of a dtype is cached without synchronisation", "PyArray_DescrHash"},
	{"numpy", "numpy-argsort-order", "2.2.1", NULL,
	 "argsort(order=) and argpartition(order=) put another dtype into their input: "
	 "wrong results, use after free",
	 NULL},
	{"cython", "cython#6718", "0.29", "3.1.0b1",
	 "the module's cache of code objects is not synchronised: crashes in tracebacks",
	 "__Pyx_AddTraceback"},
	{"cython", "cython#6721", "0.29", "3.0.13",
	 "a cached code object lacks a reference: use after free, wrong tracebacks",
	 NULL},
	{"cython", "cython#6721", "3.1.0a0", "3.1.0b1",
	 "a cached code object lacks a reference: use after free, wrong tracebacks",
	 NULL},
};

enum { RELEASE_PARTS = 4, STAGE = RELEASE_PARTS, NUMBER, PARTS };

/* Order of what may follow the release number. */
enum { DEVELOPMENT = -4, ALPHA, BETA, CANDIDATE, FINAL, POST };

static const struct {
	const char *word;
	int stage;
} stages[] = {
	{"dev", DEVELOPMENT}, {"alpha", ALPHA},	 {"a", ALPHA},	 {"beta", BETA},
	{"b", BETA},	      {"rc", CANDIDATE}, {"post", POST},
};

static long take_number(const char **text)
{
	long number = 0;

	while (isdigit((unsigned char)**text)) {
		if (number < 100000000)
			number = number * 10 + (**text - '0');
		(*text)++;
	}
	return number;
}

static void parse_version(const char *text, long *parts)
{
	memset(parts, 0, PARTS * sizeof(*parts));
	for (int i = 0; isdigit((unsigned char)*text); i++) {
		long number = take_number(&text);

		if (i < RELEASE_PARTS)
			parts[i] = number;
		if (text[0] != '.' || !isdigit((unsigned char)text[1]))
			break;
		text++;
	}
	if (*text == '.' || *text == '-' || *text == '_')
		text++;
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(stages); i++) {
		size_t length = strlen(stages[i].word);

		if (strncmp(text, stages[i].word, length) != 0)
			continue;
		text += length;
		parts[STAGE] = stages[i].stage;
		parts[NUMBER] = take_number(&text);
		return;
	}
}

int ftsan_version_compare(const char *a, const char *b)
{
	long left[PARTS], right[PARTS];

	parse_version(a, left);
	parse_version(b, right);
	for (int i = 0; i < PARTS; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

bool ftsan_hazard_is_in(const struct ftsan_hazard *hazard, const char *component,
			const char *version)
{
	return version != NULL && strcmp(hazard->component, component) == 0 &&
	       ftsan_version_compare(version, hazard->from) >= 0 &&
	       (hazard->fixed == NULL ||
		ftsan_version_compare(version, hazard->fixed) < 0);
}

const struct ftsan_hazard *ftsan_hazard_next(const struct ftsan_hazard *last,
					     const char *component, const char *version)
{
	size_t i = last != NULL ? (size_t)(last - hazards) + 1 : 0;

	for (; i < FTSAN_ARRAY_LEN(hazards); i++)
		if (component == NULL ||
		    ftsan_hazard_is_in(&hazards[i], component, version))
			return &hazards[i];
	return NULL;
}

const struct ftsan_hazard *ftsan_hazard_of(const char *function)
{
	for (size_t i = 0; function != NULL && i < FTSAN_ARRAY_LEN(hazards); i++) {
		const char *name = hazards[i].function;

		if (name != NULL && strncmp(function, name, strlen(name)) == 0)
			return &hazards[i];
	}
	return NULL;
}

json_t *ftsan_hazards_json(const char *component, const char *version)
{
	const struct ftsan_hazard *hazard = NULL;
	json_t *list = json_array();

	while ((hazard = ftsan_hazard_next(hazard, component, version)) != NULL)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s?}", "issue",
						      hazard->issue, "text", hazard->text,
						      "fixed", hazard->fixed));
	return list;
}
