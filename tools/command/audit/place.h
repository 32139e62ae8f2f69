/* Names for the places that records tell of. */
#ifndef FTSAN_TOOLS_AUDIT_PLACE_H
#define FTSAN_TOOLS_AUDIT_PLACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* struct ftsan_audit_code - what is known of an address of code; borrowed, may be NULL */
struct ftsan_audit_code {
	const char *function, *file;
	int line;
};

/**
 * struct ftsan_audit_names - who knows names
 * @code: of an instruction
 * @data: of the static that holds a word; NULL: it has none
 */
struct ftsan_audit_names {
	void *argument;
	void (*code)(void *argument, const char *module, uint64_t offset,
		     struct ftsan_audit_code *code);
	const char *(*data)(void *argument, const char *module, uint64_t offset);
};

/* Keys of the callers, innermost first. */
enum { FTSAN_AUDIT_CALLERS = 4 };
extern const char *const ftsan_audit_callers[FTSAN_AUDIT_CALLERS];

/* struct ftsan_audit_place - code, as a record tells of it */
struct ftsan_audit_place {
	const char *module;
	uint64_t offset;
	struct ftsan_audit_code code;
};

/* The place that the fields KEY_module and KEY_offset name; false: they are missing. */
bool ftsan_audit_find_place(const struct ftsan_audit_names *names, const json_t *record,
			    const char *key, struct ftsan_audit_place *place);

/* The function's name, or where it is (@start: where it begins, 0: unknown); malloc'ed.
 */
char *ftsan_audit_place_text(const struct ftsan_audit_place *place, uint64_t start);

/**
 * ftsan_audit_find_writer() - who is to be named for a store
 * @outer: gets the number of the first caller that is further out
 * @start: gets where the function begins, 0: unknown
 *
 * Not libc, which stores where it is told to, but its caller.
 */
void ftsan_audit_find_writer(const struct ftsan_audit_names *names, const json_t *record,
			     struct ftsan_audit_place *writer, unsigned *outer,
			     uint64_t *start);

/* The record's lock; malloc'ed. */
char *ftsan_audit_lock_text(const struct ftsan_audit_names *names, const json_t *record);

#endif
