/* An audit on paper. All of them write to @out and look nothing up. */
#ifndef FTSAN_TOOLS_AUDIT_WRITE_H
#define FTSAN_TOOLS_AUDIT_WRITE_H

#include <stdio.h>

#include "audit/inventory.h"

/**
 * struct ftsan_audit_paper - what the writers need besides
 * @nothing: why nothing was watched, if that is so
 * @least:   grade that makes news bad
 * @all:     list what needs no lock, too
 */
struct ftsan_audit_paper {
	const struct ftsan_audit *audit;
	const char *nothing;
	enum ftsan_audit_grade least;
	bool all;
};

void ftsan_audit_write_text(FILE *out, const struct ftsan_audit_paper *paper);
void ftsan_audit_write_json(FILE *out, const struct ftsan_audit_paper *paper);
void ftsan_audit_write_html(FILE *out, const struct ftsan_audit_paper *paper);

/* --- what they share, audit_words.c --- */

/* "AUDITED (...)" or "NOTHING WATCHED (...)"; malloc'ed. */
char *ftsan_audit_verdict(const struct ftsan_audit_paper *paper);

/* Sentences about what makes a silence worth little, one after the other until NULL;
 * malloc'ed. */
char *ftsan_audit_warning(const struct ftsan_audit *audit, unsigned number);

/* "newrand.h:23", or NULL; malloc'ed. */
char *ftsan_audit_source_text(const struct ftsan_audit_entry *entry);

/* "locked -> torn, counted -> high"; malloc'ed. */
char *ftsan_audit_change_text(const struct ftsan_audit_entry *entry);

/* Percent of the time that the module's pages were sealed. */
double ftsan_audit_sealed_percent(const struct ftsan_audit_module *module);

/* A static that has no name is told by who writes it. */
const char *ftsan_audit_static_text(const struct ftsan_audit_entry *entry);

#endif
