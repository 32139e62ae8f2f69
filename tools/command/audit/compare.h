/* An earlier audit, and what has become of it. */
#ifndef FTSAN_TOOLS_AUDIT_COMPARE_H
#define FTSAN_TOOLS_AUDIT_COMPARE_H

#include "audit/inventory.h"

/**
 * ftsan_audit_compare() - say of each entry what is news of it
 * @old:  the JSON of an earlier audit (docs/audit.md)
 *
 * Pure. Return: 0; -EINVAL: it is no audit.
 */
int ftsan_audit_compare(struct ftsan_audit *audit, const json_t *old);

/* The same with a file. Return: 0; -errno, and the reason was printed. */
int ftsan_audit_compare_file(struct ftsan_audit *audit, const char *path);

/* Does it write without a lock what it did not before: graded @least or worse, and new or
 * worse than it was? Pure. */
bool ftsan_audit_is_bad_news(const struct ftsan_audit_entry *entry,
			     enum ftsan_audit_grade least);

/* "new", "changed", "same", "gone"; NULL without a baseline. */
const char *ftsan_audit_news_word(enum ftsan_audit_news news);

/* Entries with that news. */
size_t ftsan_audit_count_news(const struct ftsan_audit *audit,
			      enum ftsan_audit_news news);

#endif
