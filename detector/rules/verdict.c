#include "rules/verdict.h"

#include <stddef.h>

bool ftsan_rule_overlap(const struct ftsan_access *a, const struct ftsan_access *b)
{
	if (a->size == 0 || b->size == 0)
		return false;
	return a->address < b->address ? b->address - a->address < a->size
				       : a->address - b->address < b->size;
}

static bool writes(const struct ftsan_access *access)
{
	return access->role == FTSAN_ROLE_WRITE || access->role == FTSAN_ROLE_FREE;
}

bool ftsan_rule_race(enum ftsan_extent extent, const struct ftsan_access *a,
		     const struct ftsan_access *b)
{
	if (!writes(a) && !writes(b))
		return false;
	if (a->atomic || b->atomic)
		return false;
	if (a->role == FTSAN_ROLE_FREE || b->role == FTSAN_ROLE_FREE)
		return true;
	return extent == FTSAN_EXTENT_WHOLE || ftsan_rule_overlap(a, b);
}

bool ftsan_rule_hazard(const struct ftsan_hazard_question *q)
{
	return q->is_argument && q->points_here && !q->mutator && !q->fresh &&
	       !q->output_flags && !q->locked && !(q->unchanged && q->importing);
}

bool ftsan_rule_store_counts(bool changed, bool proven, bool lost_updates)
{
	return changed || (proven && lost_updates);
}

enum ftsan_role ftsan_rule_word_role(bool reads, uint64_t known, uint64_t now,
				     uint64_t stored)
{
	if (!reads)
		return FTSAN_ROLE_WRITE;
	return now == known || now == stored ? FTSAN_ROLE_READ : FTSAN_ROLE_WRITE;
}

enum ftsan_word_verdict ftsan_rule_word(const struct ftsan_word_question *q)
{
	if (!writes(&q->held) || (!q->changed && (q->met == NULL || !writes(q->met))))
		return FTSAN_WORD_NOTHING;
	if (q->met != NULL && ftsan_rule_race(FTSAN_EXTENT_BYTES, &q->held, q->met))
		return FTSAN_WORD_CONFIRMED;
	return q->changed && q->inside && !q->waits ? FTSAN_WORD_PROBABLE
						    : FTSAN_WORD_NOTHING;
}

enum ftsan_recheck_verdict ftsan_rule_recheck(const struct ftsan_recheck_question *q)
{
	if (q->exclusive)
		return FTSAN_RECHECK_NOTHING;
	if (q->others)
		return FTSAN_RECHECK_RACE;
	return q->latent ? FTSAN_RECHECK_HAZARD : FTSAN_RECHECK_NOTHING;
}
