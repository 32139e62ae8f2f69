#include "rules/static_store.h"

#include <stddef.h>

/* The classes that are hazards, with the grade that they begin with. */
struct description {
	const char *name;
	enum ftsan_grade grade;
	const char *danger;
	const char *advice;
};

#define LOCK_OR_LOCAL                                                                    \
	"Protect it by a lock, make it thread-local, or give each caller its own."
#define ONCE                                                                             \
	"Initialize it at import, by a once function, or publish it with a "             \
	"compare-and-swap."

static const struct description descriptions[] = {
	[FTSAN_STATIC_NOTHING] = {"nothing", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_IMPORT] = {"import", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_GUARD] = {"guard", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_ATOMIC] = {"atomic", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_LOCKED] = {"locked", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_LOCKWORD] = {"lockword", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_INTERP] = {"interpreter", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_HEADER] = {"header", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_UNDECIDED] = {"undecided", FTSAN_GRADE_COUNTED, "", ""},
	[FTSAN_STATIC_SAME] = {"same", FTSAN_GRADE_LOW,
			       "Two threads store the same value: harmless on x86-64, "
			       "undefined in C.",
			       "Store it once, at import, or use an atomic."},
	[FTSAN_STATIC_FLAG] =
		{"flag", FTSAN_GRADE_LOW,
		 "Two threads both find it unset and both do what it stands "
		 "for.",
		 ONCE},
	[FTSAN_STATIC_INIT_ONE] = {"lazy-pointer", FTSAN_GRADE_MEDIUM,
				   "Two threads both create it: one of the two is lost, "
				   "or freed while it is used.",
				   ONCE},
	[FTSAN_STATIC_INIT_MANY] = {"lazy-table", FTSAN_GRADE_HIGH,
				    "Two threads both fill it, and one of them uses it "
				    "when it is half filled.",
				    ONCE},
	[FTSAN_STATIC_VALUE] =
		{"changing", FTSAN_GRADE_LOW,
		 "Two threads overwrite each other's value, unless it is an "
		 "atomic: plain stores of C's atomics look the same.",
		 "Use an atomic, a lock, or a thread-local variable."},
	[FTSAN_STATIC_COUNTER] =
		{"counter", FTSAN_GRADE_MEDIUM,
		 "Two threads overwrite each other's value: an update is "
		 "lost, or one goes on with the other's.",
		 "Use an atomic, a lock, or a thread-local variable."},
	[FTSAN_STATIC_REPLACED] =
		{"replaced", FTSAN_GRADE_HIGH,
		 "Another thread still uses what it pointed to, or goes "
		 "on with what this one put there.",
		 LOCK_OR_LOCAL},
	[FTSAN_STATIC_TORN] = {"torn", FTSAN_GRADE_HIGH,
			       "Two threads mix their values: each sees a state that "
			       "neither made.",
			       LOCK_OR_LOCAL},
};

const char *ftsan_static_class_name(enum ftsan_static_class class)
{
	return descriptions[class].name;
}

const char *ftsan_static_danger(enum ftsan_static_class class)
{
	return descriptions[class].danger;
}

const char *ftsan_static_advice(enum ftsan_static_class class)
{
	return descriptions[class].advice;
}

const char *ftsan_grade_name(enum ftsan_grade grade)
{
	static const char *const names[] = {"counted", "low", "medium", "high"};

	return names[grade];
}

/* What there is to say when no store needs a reason. */
static enum ftsan_static_class why_none(const struct ftsan_static_facts *facts)
{
	if (facts->headers > 0)
		return FTSAN_STATIC_HEADER;
	if (facts->lock_functions > 0)
		return FTSAN_STATIC_LOCKWORD;
	if (facts->guarded > 0)
		return FTSAN_STATIC_GUARD;
	if (facts->imported > 0)
		return FTSAN_STATIC_IMPORT;
	return facts->foreign > 0 ? FTSAN_STATIC_INTERP : FTSAN_STATIC_NOTHING;
}

/* The value went round: to nothing and back, or from one to another, or twice. */
static bool repeats(const struct ftsan_static_facts *facts)
{
	return facts->changed > 1 || facts->from_null > 1 ||
	       (facts->changed > 0 && facts->from_null > 0) ||
	       (facts->to_null > 0 && facts->from_null > 0);
}

static bool is_pointer(const struct ftsan_static_facts *facts)
{
	return facts->new_pointer && !facts->new_text;
}

static enum ftsan_static_class hazard_of(const struct ftsan_static_facts *facts)
{
	if (facts->from_null + facts->to_null + facts->changed == 0)
		return FTSAN_STATIC_SAME;
	if (facts->changed > 0 && facts->old_pointer && is_pointer(facts))
		return FTSAN_STATIC_REPLACED;
	if (repeats(facts)) {
		if (facts->repeated_call_words > 1)
			return FTSAN_STATIC_TORN;
		if (is_pointer(facts))
			return FTSAN_STATIC_REPLACED;
		return facts->rmw ? FTSAN_STATIC_COUNTER : FTSAN_STATIC_VALUE;
	}
	if (facts->new_text)
		return FTSAN_STATIC_FLAG;
	if (facts->from_null > 0 && facts->call_words > 1)
		return FTSAN_STATIC_INIT_MANY;
	return facts->from_null > 0 && is_pointer(facts) ? FTSAN_STATIC_INIT_ONE
							 : FTSAN_STATIC_FLAG;
}

static enum ftsan_grade adjust(enum ftsan_grade grade,
			       const struct ftsan_static_facts *facts)
{
	if (grade < FTSAN_GRADE_MEDIUM)
		return grade;
	if (facts->detached)
		return FTSAN_GRADE_HIGH;
	if (facts->gil)
		return FTSAN_GRADE_LOW;
	return facts->claims_safe ? grade : grade - 1;
}

struct ftsan_static_verdict ftsan_rule_static(const struct ftsan_static_facts *facts)
{
	struct ftsan_static_verdict verdict = {FTSAN_STATIC_NOTHING, FTSAN_GRADE_COUNTED};

	if (facts->atomic)
		verdict.class = FTSAN_STATIC_ATOMIC;
	else if (facts->judged == 0)
		verdict.class = why_none(facts);
	else if (facts->common_lock)
		verdict.class = FTSAN_STATIC_LOCKED;
	else if (facts->lock_unknown)
		verdict.class = FTSAN_STATIC_UNDECIDED;
	else
		verdict.class = hazard_of(facts);
	verdict.grade = adjust(descriptions[verdict.class].grade, facts);
	return verdict;
}

/* Does it protect this store, as far as one can tell? @before: at the store before. */
static bool protects(const struct ftsan_static_lock *now,
		     const struct ftsan_static_lock *before)
{
	if (now == NULL || !now->inside)
		return false;
	return now->recent || (before != NULL && now->serial != before->serial);
}

/* The same lock among those held now, if it protects; a recursive one may be held several
 * times, and once by somebody else's code. */
static const struct ftsan_static_lock *protecting(const struct ftsan_static_lock *held,
						  unsigned n,
						  const struct ftsan_static_lock *before)
{
	for (unsigned i = n; i-- > 0;)
		if (held[i].address == before->address && protects(&held[i], before))
			return &held[i];
	return NULL;
}

static void begin(struct ftsan_static_lockset *set, const struct ftsan_static_lock *held,
		  unsigned n)
{
	set->n = 0;
	/* The innermost ones are the likeliest. */
	for (unsigned i = n; i-- > 0 && set->n < FTSAN_STATIC_LOCKS;)
		if (protects(&held[i], NULL))
			set->locks[set->n++] = held[i];
}

void ftsan_rule_static_locks(struct ftsan_static_lockset *set,
			     const struct ftsan_static_lock *held, unsigned n)
{
	unsigned kept = 0;

	if (set->stores++ == 0) {
		begin(set, held, n);
		return;
	}
	for (unsigned i = 0; i < set->n; i++) {
		const struct ftsan_static_lock *now = protecting(held, n, &set->locks[i]);

		if (now != NULL)
			set->locks[kept++] = *now;
	}
	set->n = (uint8_t)kept;
}
