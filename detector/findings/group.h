/*
 * What makes two findings one: who is at fault, and with what memory.
 *
 * A bug shows in many ways: a store and a read met, two stores met, an operation stored
 * to its input. They are one finding, with a name that is the same in every run: in
 * another thread count, another process, another build of the module, another minor
 * version of the interpreter. So no address goes into it, no line, no offset where there
 * is a name, and nothing of the callers.
 *
 * For engines: say what the memory is in ftsan_object.subject (or leave it empty, then
 * ftsan_object.name without its index is taken), put the guilty party first, give every
 * party its role. The rest follows from the stacks.
 */
#ifndef FTSAN_GROUP_H
#define FTSAN_GROUP_H

#include <stdint.h>

#include "findings/blame.h"
#include "view/view.h"

/**
 * struct ftsan_group - the parts of the name
 * @family:   "access" for races and hazards, which are one bug seen in two ways;
 *            "lifetime" for uses after free; else the kind
 * @culprit:  who stored; of a use after free who used; else who called
 * @subject:  the kind of memory: "dims", "descr", what an engine said
 */
struct ftsan_group {
	char family[24];
	struct ftsan_culprit culprit;
	char subject[160];
};

enum { FTSAN_GROUPS_MAX = 2 };

/**
 * ftsan_groups() - the groups that a finding may belong to
 * @groups: gets up to FTSAN_GROUPS_MAX, the first is the finding's own
 *
 * There is a second one where two functions stored, or where an operation is known
 * besides the function: a finding of that group is the same bug, see
 * ftsan_seen_find().
 *
 * Context: pure; async-signal-safe.
 * Return:  1 or 2.
 */
unsigned ftsan_groups(const struct ftsan_view *view,
		      struct ftsan_group groups[FTSAN_GROUPS_MAX]);

/* The fingerprint of a group. Pure. */
uint64_t ftsan_group_id(const struct ftsan_group *group);

/**
 * ftsan_evidence() - what was seen of a bug, in words
 * @out: gets "race, confirmed: read in array_dims, write in array_repeat", the same
 *       whichever thread was first
 *
 * Context: pure; async-signal-safe. Return: a number for it. Each is worth a record of
 *          its own.
 */
uint64_t ftsan_evidence(const struct ftsan_view *view, struct ftsan_buf *out);

#endif
