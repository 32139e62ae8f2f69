/* What the log's words for classes and grades (docs/statics.md) are worth. */
#ifndef FTSAN_TOOLS_AUDIT_CLASSES_H
#define FTSAN_TOOLS_AUDIT_CLASSES_H

#include <stdbool.h>

enum ftsan_audit_grade {
	FTSAN_AUDIT_COUNTED,
	FTSAN_AUDIT_LOW,
	FTSAN_AUDIT_MEDIUM,
	FTSAN_AUDIT_HIGH,
	FTSAN_AUDIT_GRADES,
};

/* "high", ... of the log and the command line; -1: none of them. Pure. */
int ftsan_audit_grade(const char *name);
const char *ftsan_audit_grade_name(enum ftsan_audit_grade grade);

/* How bad a class is among those of the same grade, and how loudly to say it. Pure. */
unsigned ftsan_audit_class_rank(const char *name);

/* A class that says that no lock is needed, and that nobody asked for: guards, imports,
 * atomics and the like. Pure. */
bool ftsan_audit_class_is_quiet(const char *name);

/* What a class means, a fragment of a sentence. */
const char *ftsan_audit_class_text(const char *name);

#endif
