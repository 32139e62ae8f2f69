/* What an engine recorded of a bug, for ftsan_report(). */
#ifndef FTSAN_INCIDENT_H
#define FTSAN_INCIDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"
#include "stacks/stacks.h"

struct ftsan_alloc_site;
struct ftsan_object;
struct ftsan_view_death;

enum ftsan_kind {
	FTSAN_KIND_RACE,
	FTSAN_KIND_USE_AFTER_FREE,
	FTSAN_KIND_HAZARD,
	FTSAN_KIND_BAD_CODE,
	FTSAN_KIND_NO_EXCEPTION,
	FTSAN_KIND_CRASH,
	FTSAN_KIND_HANG,
};

enum ftsan_confidence {
	FTSAN_CONFIRMED,
	FTSAN_PROBABLE,
	FTSAN_LATENT,
	FTSAN_UNKNOWN, /* the process died, and why is not known */
};

/**
 * struct ftsan_party - one thread's part in an incident
 * @role:   what it did
 * @tid:    kernel thread id, 0 when unknown
 * @name:   thread name, "" when unknown; borrowed
 * @access: NULL for parts without one
 * @stack:  NULL when there is none; borrowed
 * @operation, @object, @type: what it was doing, and to what; NULL or 0: not said
 */
struct ftsan_party {
	enum ftsan_role role;
	int tid;
	const char *name;
	const struct ftsan_access *access;
	const struct ftsan_stack *stack;
	const char *operation;
	uintptr_t object;
	const char *type;
};

/* Threads that are only told of, besides the parties. */
enum { FTSAN_BYSTANDERS_MAX = 128 };

enum { FTSAN_PARTIES_MAX = 4 };

/**
 * struct ftsan_incident - something to report
 * @address: the byte that it is about
 * @title:   a sentence fragment; NULL: made from the headline and the object
 * @headline: what happened; NULL: the kind's
 * @object:  what the memory is; borrowed, NULL: unknown
 * @description: used when that is unknown
 * @size:    bytes of the memory, 0: unknown
 * @name:    the word's, NULL: the object's
 * @grade, @note, @advice: how bad it would be, what happens then, and what helps; NULL:
 *           not graded
 * @operation, @operation_owner: name of the innermost operation at the time, and what it
 *           is one of ("": nothing); NULL: none, or not of interest
 * @output:  the object was given to it to be written to
 * @alloc, @alloc_tid: where the memory was allocated; borrowed, NULL: unknown
 * @death: how the process died, NULL: it did not; borrowed
 * @others, @n_others: what other threads were doing; borrowed
 * @parties: the guilty first; the stack that allocated the memory is added
 */
struct ftsan_incident {
	enum ftsan_kind kind;
	enum ftsan_confidence confidence;
	uintptr_t address;
	const char *title;
	const char *headline;
	const char *description;
	const char *name;
	const char *grade, *note, *advice;
	const struct ftsan_object *object;
	const struct ftsan_alloc_site *alloc;
	int alloc_tid;
	uint32_t size;
	const char *operation;
	const char *operation_owner;
	bool output;
	bool has_old, has_new;
	int64_t old_value, new_value;
	const struct ftsan_view_death *death;
	const struct ftsan_party *others;
	unsigned n_others;
	unsigned n_parties;
	struct ftsan_party parties[FTSAN_PARTIES_MAX];
};

#endif
