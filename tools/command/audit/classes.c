#include "audit/classes.h"

#include <stddef.h>
#include <string.h>

#include "base/base.h"

static const char *const grades[] = {"counted", "low", "medium", "high"};

int ftsan_audit_grade(const char *name)
{
	for (int i = 0; name != NULL && i < FTSAN_AUDIT_GRADES; i++)
		if (strcmp(grades[i], name) == 0)
			return i;
	return -1;
}

const char *ftsan_audit_grade_name(enum ftsan_audit_grade grade)
{
	return grades[grade];
}

/* The worst last. */
static const struct {
	const char *name;
	bool quiet;
	const char *text;
} classes[] = {
	{"nothing", true, "no store was judged"},
	{"interpreter", true, "written by the interpreter, BLAS or OpenMP"},
	{"header", true, "the header of a static object"},
	{"import", true, "written below an import only"},
	{"lockword", true, "part of a lock, written by the lock's functions"},
	{"guard", true, "in a once function, or by the initialization of a C++ static"},
	{"atomic", true, "written by bus-locked instructions"},
	{"locked", false, "one lock at every store"},
	{"undecided", false, "which locks were held was not seen"},
	{"same", false, "the value that was there, again"},
	{"flag", false, "a flag, or a function, that is set once"},
	{"changing", false, "one word keeps changing; it may be an atomic"},
	{"counter", false, "counted up or down without an atomic"},
	{"lazy-pointer", false, "one pointer is made when first needed"},
	{"lazy-table", false, "several words are filled when first needed"},
	{"replaced", false, "a pointer in use gives way to another one"},
	{"torn", false, "several words of one call keep changing"},
};

unsigned ftsan_audit_class_rank(const char *name)
{
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(classes); i++)
		if (strcmp(classes[i].name, name) == 0)
			return i;
	/* Of a later version: not to be overlooked. */
	return FTSAN_ARRAY_LEN(classes);
}

bool ftsan_audit_class_is_quiet(const char *name)
{
	unsigned rank = ftsan_audit_class_rank(name);

	return rank < FTSAN_ARRAY_LEN(classes) && classes[rank].quiet;
}

const char *ftsan_audit_class_text(const char *name)
{
	unsigned rank = ftsan_audit_class_rank(name);

	return rank < FTSAN_ARRAY_LEN(classes) ? classes[rank].text
					       : "unknown to this version";
}
