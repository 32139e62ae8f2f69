/* An earlier audit, and what has become of it. */
#ifndef FTSAN_TOOLS_AUDIT_COMPARE_H
#define FTSAN_TOOLS_AUDIT_COMPARE_H

#include "audit/inventory.h"

/* Is it the JSON of an audit (docs/audit.md)? Pure. */
bool ftsan_audit_is_one(const json_t *json);

/* An audit from a file, the caller's; NULL, and the reason was printed. */
json_t *ftsan_audit_read(const char *path);

/* Says of each entry what is news of it. @old: an earlier audit. Pure. */
void ftsan_audit_compare(struct ftsan_audit *audit, const json_t *old);

/* Does it write without a lock what it did not before: graded @least or worse, and new or
 * worse than it was? Pure. */
bool ftsan_audit_is_bad_news(const struct ftsan_audit_entry *entry,
			     enum ftsan_audit_grade least);

/* "new", "changed", "same", "gone"; NULL without a baseline. */
const char *ftsan_audit_news_word(enum ftsan_audit_news news);

/* Entries that there are with that news. */
size_t ftsan_audit_count_news(const struct ftsan_audit *audit,
			      enum ftsan_audit_news news);

#endif
