/* What is publicly known to be wrong in released versions, on free-threaded builds. */
#ifndef FTSAN_TOOLS_HAZARDS_H
#define FTSAN_TOOLS_HAZARDS_H

#include <jansson.h>
#include <stdbool.h>

/**
 * struct ftsan_hazard - one defect of a range of versions
 * @component: "numpy", "cython"
 * @issue:     "numpy#28197", or a name of ours where upstream has no number for it
 * @from:      first version that has it
 * @fixed:     first version that has it no more; NULL: the newest that was looked at has
 * it
 * @text:      what goes wrong
 * @function:  that a finding of it blames, or what its name begins with; NULL: unknown
 */
struct ftsan_hazard {
	const char *component;
	const char *issue;
	const char *from;
	const char *fixed;
	const char *text;
	const char *function;
};

/* The oldest NumPy that is watched: earlier ones take an array's dims from elsewhere. */
#define FTSAN_NUMPY_OLDEST "2.1"

/**
 * ftsan_version_compare() - order of two versions
 * @a, @b: as PEP 440 has them: "2.2", "3.1.0a1", "2.3.0rc1", "2.4.0.dev0+git123"
 *
 * Pure; anything that is not a version counts as 0. Return: <0, 0, >0.
 */
int ftsan_version_compare(const char *a, const char *b);

/* Does @version (NULL: none) of @component have it? */
bool ftsan_hazard_is_in(const struct ftsan_hazard *hazard, const char *component,
			const char *version);

/**
 * ftsan_hazard_next() - the next one after @last
 * @last:      NULL: from the first
 * @component: NULL: all there are
 * @version:   of @component; NULL has no hazards
 *
 * Return: NULL when there is none.
 */
const struct ftsan_hazard *ftsan_hazard_next(const struct ftsan_hazard *last,
					     const char *component, const char *version);

/* The defect that a function is known for; NULL: none. Pure. */
const struct ftsan_hazard *ftsan_hazard_of(const char *function);

/* All of them as a list of objects, for --format json. */
json_t *ftsan_hazards_json(const char *component, const char *version);

#endif
