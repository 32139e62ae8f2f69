#include "rules/static_pair.h"

#include <stddef.h>

#include "rules/verdict.h"

static const struct {
	enum ftsan_grade grade;
	const char *danger;
} pairs[] = {
	[FTSAN_PAIR_NOTHING] = {FTSAN_GRADE_COUNTED, ""},
	[FTSAN_PAIR_HALF_ATOMIC] = {FTSAN_GRADE_LOW,
				    "Other code uses atomics on this word, these two do "
				    "not seem to."},
	[FTSAN_PAIR_SAME] = {FTSAN_GRADE_LOW,
			     "Both leave the same value: harmless on x86-64."},
	[FTSAN_PAIR_FLAG] = {FTSAN_GRADE_LOW,
			     "The word is set once: harmless on x86-64 if nothing else "
			     "goes with it."},
	[FTSAN_PAIR_PUBLISHED] = {FTSAN_GRADE_LOW,
				  "A pointer is published without an atomic: right on "
				  "x86-64 by luck only."},
	[FTSAN_PAIR_RELEASED] = {FTSAN_GRADE_LOW,
				 "A store that may be C's release, and a load that may "
				 "be its acquire: plain moves of them look the same."},
	[FTSAN_PAIR_ASKED] =
		{FTSAN_GRADE_LOW,
		 "The other thread only asks whether there is a pointer: there "
		 "is one before and after."},
	[FTSAN_PAIR_REFERENCE] =
		{FTSAN_GRADE_MEDIUM,
		 "Both threads found nothing there and store the same object: if each "
		 "has taken a reference for it, one of them is never given back."},
	[FTSAN_PAIR_DOUBLE] =
		{FTSAN_GRADE_MEDIUM,
		 "Both threads found nothing there and both made it: one of "
		 "the two is lost."},
	[FTSAN_PAIR_LOST] = {FTSAN_GRADE_MEDIUM,
			     "One of the two values is lost, or used by the wrong "
			     "thread."},
	[FTSAN_PAIR_VALUE] = {FTSAN_GRADE_LOW,
			      "One of the two values is lost, unless it is an atomic: "
			      "plain moves of C's atomics look the same."},
	[FTSAN_PAIR_REPLACED] = {FTSAN_GRADE_HIGH,
				 "A pointer that one thread uses is replaced by the "
				 "other."},
	[FTSAN_PAIR_TORN] = {FTSAN_GRADE_HIGH,
			     "It is one of several words that are stored together: the "
			     "threads mix their values."},
};

const char *ftsan_static_pair_danger(enum ftsan_static_pair pair)
{
	return pairs[pair].danger;
}

static bool stores(const struct ftsan_access *access)
{
	return access->role == FTSAN_ROLE_WRITE;
}

/* Synchronization itself, or none of the module's business. */
static bool is_nothing(const struct ftsan_static_pair_question *q)
{
	if (!stores(&q->held) || !ftsan_rule_overlap(&q->held, &q->met))
		return true;
	return q->held.atomic || q->met.atomic || q->lock_functions || q->interpreter ||
	       q->header;
}

/* A load of C's acquire, and a store of 0 of its release, on a word of atomics. */
static bool is_acquire_or_release(const struct ftsan_static_pair_question *q)
{
	return !stores(&q->met) || (q->has_new && q->new == 0) ||
	       (q->met_has_new && q->met_new == 0);
}

static bool is_same(const struct ftsan_static_pair_question *q)
{
	if (!q->has_new || (q->varies && stores(&q->met)))
		return false;
	if (q->new == q->old)
		return true;
	return stores(&q->met) && q->met_has_new && q->met_new == q->new;
}

/* The same module, found twice. A borrowed reference looks no different. */
static bool is_reference(const struct ftsan_static_pair_question *q)
{
	return q->old == 0 && q->counted;
}

static bool only_asks(const struct ftsan_static_pair_question *q)
{
	return !stores(&q->met) && q->met_tests_null && q->has_new && q->old != 0 &&
	       q->new != 0;
}

static enum ftsan_static_pair
of_initialization(const struct ftsan_static_pair_question *q)
{
	if (q->call_words > 1)
		return FTSAN_PAIR_TORN;
	if (stores(&q->met))
		return q->pointer ? FTSAN_PAIR_DOUBLE : FTSAN_PAIR_VALUE;
	return q->pointer ? FTSAN_PAIR_PUBLISHED : FTSAN_PAIR_FLAG;
}

/* Aligned moves of at most eight bytes may be C's atomics; others can't. */
static bool is_whole(const struct ftsan_static_pair_question *q)
{
	return q->held.size <= 8 && q->held.address % q->held.size == 0 &&
	       q->met.address == q->held.address && q->met.size == q->held.size;
}

static enum ftsan_static_pair one_value(const struct ftsan_static_pair_question *q)
{
	return is_whole(q) ? FTSAN_PAIR_VALUE : FTSAN_PAIR_LOST;
}

/*
 * What is stored before the last word of a call can be no message's flag, unless the
 * module uses atomics: they may be flags of several messages, or relaxed. The last one
 * can, or the only one, or a pointer that is replaced under a lock: C's release, and its
 * acquire that meets it. What changes in place is none of them, but where the compiler
 * folds a relaxed load and the store after it. A reference can't be taken by a plain load
 * while it is replaced.
 */
static bool may_be_release(const struct ftsan_static_pair_question *q)
{
	return !stores(&q->met) && (!q->held_rmw || q->folds) && !q->met_rmw &&
	       (!q->followed || q->lock_free) && !q->reference && is_whole(q);
}

static enum ftsan_static_pair of_release(const struct ftsan_static_pair_question *q)
{
	if (q->old != 0 || q->locked || q->call_words > 1)
		return FTSAN_PAIR_RELEASED;
	return q->pointer ? FTSAN_PAIR_PUBLISHED : FTSAN_PAIR_FLAG;
}

static enum ftsan_static_pair pair_of(const struct ftsan_static_pair_question *q)
{
	if (is_nothing(q))
		return FTSAN_PAIR_NOTHING;
	if (q->atomic_word)
		return is_acquire_or_release(q) ? FTSAN_PAIR_NOTHING
						: FTSAN_PAIR_HALF_ATOMIC;
	if (is_same(q))
		return is_reference(q) ? FTSAN_PAIR_REFERENCE : FTSAN_PAIR_SAME;
	if (only_asks(q))
		return FTSAN_PAIR_ASKED;
	if (may_be_release(q))
		return of_release(q);
	if (q->held_rmw || q->met_rmw)
		return q->call_words > 1 ? FTSAN_PAIR_TORN : FTSAN_PAIR_LOST;
	if (q->old == 0)
		return of_initialization(q);
	if (q->pointer || q->reference)
		return FTSAN_PAIR_REPLACED;
	return q->call_words > 1 ? FTSAN_PAIR_TORN : one_value(q);
}

struct ftsan_static_pair_verdict
ftsan_rule_static_pair(const struct ftsan_static_pair_question *question)
{
	struct ftsan_static_pair_verdict verdict = {.pair = pair_of(question)};

	verdict.grade = pairs[verdict.pair].grade;
	return verdict;
}
