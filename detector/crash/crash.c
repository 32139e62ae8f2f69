#include "crash/crash.h"

#include <string.h>

#include "base/base.h"
#include "crash/fault.h"
#include "crash/words.h"
#include "findings/findings.h"
#include "rules/rules.h"
#include "stacks/stacks.h"
#include "view/view.h"

/* One process dies once; a hang is told once, too. */
static struct {
	struct ftsan_fault fault;
	struct ftsan_party others[FTSAN_BYSTANDERS_MAX];
	struct ftsan_incident incident;
	struct ftsan_view_death death;
	unsigned first; /* witness that it is about */
} work;

static struct ftsan_deed deed_of(const struct ftsan_witness *witness)
{
	const struct ftsan_doing *doing = &witness->doing;

	return (struct ftsan_deed){
		.function = doing->function,
		.module =
			doing->builtin ? 0 : (uintptr_t)ftsan_module_of(doing->function),
		.object = doing->object,
		.others = doing->others,
		.n_others = doing->n_others,
	};
}

/* The thread that has most in common with the first; the first: none has anything. */
static unsigned nearest(const struct ftsan_death *death, enum ftsan_relation *relation)
{
	struct ftsan_deed first = deed_of(&death->witness[work.first]);
	unsigned best = work.first;

	*relation = FTSAN_UNRELATED;
	for (unsigned i = 0; i < death->n_witnesses; i++) {
		struct ftsan_deed other = deed_of(&death->witness[i]);
		enum ftsan_relation now = ftsan_relate(&first, &other);

		if (i != work.first && now > *relation) {
			*relation = now;
			best = i;
		}
	}
	return best;
}

static const char *const relation_names[] = {
	[FTSAN_UNRELATED] = NULL,
	[FTSAN_SAME_MODULE] = "module",
	[FTSAN_SAME_METHOD] = "method",
	[FTSAN_SAME_FUNCTION] = "function",
	[FTSAN_SHARED_ARGUMENT] = "argument",
	[FTSAN_SAME_OBJECT] = "object",
};

static struct ftsan_party party_of(const struct ftsan_witness *witness,
				   enum ftsan_role role)
{
	return (struct ftsan_party){
		.role = role,
		.tid = witness->tid,
		.name = witness->name,
		.stack = &witness->stack,
		.operation = witness->doing.name,
		.object = witness->doing.object,
		.type = witness->doing.type,
	};
}

static void add_parties(struct ftsan_incident *incident, const struct ftsan_death *death,
			unsigned second, unsigned third)
{
	incident->parties[0] =
		party_of(&death->witness[work.first],
			 death->signal != 0 ? FTSAN_ROLE_CRASH : FTSAN_ROLE_CALL);
	if (work.fault.has_access)
		incident->parties[0].access = &work.fault.access;
	incident->n_parties = 1;
	if (work.fault.has_freed)
		incident->parties[incident->n_parties++] = (struct ftsan_party){
			.role = FTSAN_ROLE_FREE,
			.tid = work.fault.freed.tid,
			.name = work.fault.freed.name,
			.stack = &work.fault.freed.stack,
		};
	if (second != work.first)
		incident->parties[incident->n_parties++] =
			party_of(&death->witness[second], FTSAN_ROLE_CALL);
	if (third != work.first)
		incident->parties[incident->n_parties++] =
			party_of(&death->witness[third], FTSAN_ROLE_CALL);
	incident->others = work.others;
	for (unsigned i = 0; i < death->n_witnesses; i++)
		if (i != second && i != third && i != work.first &&
		    incident->n_others < FTSAN_BYSTANDERS_MAX)
			work.others[incident->n_others++] =
				party_of(&death->witness[i], FTSAN_ROLE_CALL);
}

static enum ftsan_confidence confidence_of(enum ftsan_certainty certainty)
{
	switch (certainty) {
	case FTSAN_IS_CONFIRMED:
		return FTSAN_CONFIRMED;
	case FTSAN_IS_PROBABLE:
		return FTSAN_PROBABLE;
	default:
		return FTSAN_UNKNOWN;
	}
}

static void fill_death(const struct ftsan_death *death,
		       const struct ftsan_crash_verdict *verdict,
		       enum ftsan_relation relation, unsigned second)
{
	const struct ftsan_fault *fault = &work.fault;
	bool related = second != work.first &&
		       (relation > FTSAN_SAME_MODULE || death->signal == 0);

	work.death = (struct ftsan_view_death){
		.signal = death->signal != 0 ? ftsan_signal_name(death->signal) : NULL,
		.cause = verdict->sentence,
		.detail = death->signal != 0 ? ftsan_crash_detail(death, fault)
					     : ftsan_crash_waits(death),
		.race = verdict->race,
		.relation = relation_names[relation],
		.reg = fault->reg,
		.value = fault->value,
		.silent = death->silent,
		.n_silent = death->n_silent,
		.untold = death->untold,
		.n_guilty = 1u + fault->has_freed + related,
	};
}

/* A circle of two: each holds what the other waits for. */
static bool is_deadlock(const struct ftsan_death *death, unsigned *a, unsigned *b)
{
	for (unsigned i = 0; i < death->n_witnesses; i++) {
		unsigned by = ftsan_crash_holder(death, i);

		if (by == i || ftsan_crash_holder(death, by) != i)
			continue;
		*a = i;
		*b = by;
		return true;
	}
	return false;
}

/* Of a hang: the two that are at one thing, whoever was asked first. */
static unsigned choose_first(const struct ftsan_death *death, unsigned *second,
			     enum ftsan_relation *relation)
{
	unsigned best = 0;

	*second = 0;
	*relation = FTSAN_UNRELATED;
	for (unsigned i = 0; i < death->n_witnesses; i++) {
		enum ftsan_relation now;
		unsigned other;

		work.first = i;
		other = nearest(death, &now);
		if (now > *relation && now > FTSAN_SAME_METHOD) {
			*relation = now;
			*second = other;
			best = i;
		}
	}
	if (*relation == FTSAN_UNRELATED)
		*second = best;
	return best;
}

/* Two threads besides the first that are at one thing; false: no two are. */
static bool others_at_one(const struct ftsan_death *death, unsigned *a, unsigned *b,
			  enum ftsan_relation *relation)
{
	enum ftsan_relation best = FTSAN_SAME_METHOD;

	for (unsigned i = 0; i < death->n_witnesses; i++) {
		struct ftsan_deed deed = deed_of(&death->witness[i]);

		for (unsigned k = i + 1; k < death->n_witnesses; k++) {
			struct ftsan_deed other = deed_of(&death->witness[k]);
			enum ftsan_relation now = ftsan_relate(&deed, &other);

			if (i == work.first || k == work.first || now <= best)
				continue;
			best = *relation = now;
			*a = i;
			*b = k;
		}
	}
	return best > FTSAN_SAME_METHOD;
}

bool ftsan_crash_report(const struct ftsan_death *death)
{
	struct ftsan_incident *incident = &work.incident;
	struct ftsan_crash_verdict verdict = {.sentence = NULL};
	enum ftsan_relation relation;
	unsigned second, third = 0;

	memset(&work, 0, sizeof(work));
	second = death->signal != 0 ? nearest(death, &relation) : 0;
	if (death->signal == 0) {
		work.first = choose_first(death, &second, &relation);
		if (is_deadlock(death, &work.first, &second))
			verdict.sentence =
				"two threads wait for each other's locks: a deadlock";
		else
			verdict.sentence = "nothing says why";
	}
	if (death->signal != 0) {
		ftsan_fault_look(&work.fault, death->signal, death->info, death->ucontext,
				 death->message);
		work.fault.facts.relation = relation;
		verdict = ftsan_crash_judge(&work.fault.facts);
		/* Whoever meets a heap that others have corrupted dies of it. */
		if (ftsan_crash_met(verdict.cause) && relation < FTSAN_SAME_FUNCTION &&
		    others_at_one(death, &second, &third, &relation)) {
			work.fault.facts.relation = relation;
			verdict = ftsan_crash_judge(&work.fault.facts);
		}
	}
	if (death->signal == 0)
		third = work.first;
	fill_death(death, &verdict, relation, second);
	work.death.n_guilty += third != work.first;
	incident->kind = death->signal == 0 ? FTSAN_KIND_HANG
			 : verdict.cause == FTSAN_CAUSE_USE_AFTER_FREE
				 ? FTSAN_KIND_USE_AFTER_FREE
				 : FTSAN_KIND_CRASH;
	incident->confidence =
		death->signal != 0 ? confidence_of(verdict.certainty) : FTSAN_CONFIRMED;
	incident->address = work.fault.has_access ? work.fault.access.address : 0;
	incident->title = ftsan_crash_title(death, work.first, second, third, relation);
	incident->description = work.fault.pointer.kind != FTSAN_POINTER_NONE
					? work.fault.pointer.text
					: NULL;
	incident->death = &work.death;
	add_parties(incident, death, second, third);
	return ftsan_report(incident);
}
