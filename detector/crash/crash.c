#include "crash/crash.h"

#include <string.h>

#include "base/base.h"
#include "crash/fault.h"
#include "crash/holder.h"
#include "crash/moment.h"
#include "crash/pairing.h"
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
	struct ftsan_pairing pairing;
} work;

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
			const struct ftsan_pairing *pairing)
{
	unsigned first = pairing->first, second = pairing->second, third = pairing->third;

	incident->parties[0] =
		party_of(&death->witness[first],
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
	if (second != first)
		incident->parties[incident->n_parties++] =
			party_of(&death->witness[second], FTSAN_ROLE_CALL);
	if (third != first)
		incident->parties[incident->n_parties++] =
			party_of(&death->witness[third], FTSAN_ROLE_CALL);
	incident->others = work.others;
	for (unsigned i = 0; i < death->n_witnesses; i++)
		if (i != second && i != third && i != first &&
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
		       const struct ftsan_crash_verdict *verdict)
{
	const struct ftsan_fault *fault = &work.fault;
	const struct ftsan_pairing *pairing = &work.pairing;
	bool related = pairing->second != pairing->first &&
		       (pairing->relation > FTSAN_SAME_MODULE || death->signal == 0);

	work.death = (struct ftsan_view_death){
		.signal = death->signal != 0 ? ftsan_signal_name(death->signal) : NULL,
		.cause = verdict->sentence,
		.detail = death->signal != 0 ? ftsan_crash_detail(death, fault)
					     : ftsan_crash_waits(death),
		.race = verdict->race,
		.relation = relation_names[pairing->relation],
		.reg = fault->reg,
		.value = fault->value,
		.silent = death->silent,
		.n_silent = death->n_silent,
		.untold = death->untold,
		.n_guilty = 1u + fault->has_freed + related +
			    (pairing->third != pairing->first),
	};
}

static const char *circle_words(const struct ftsan_circle *circle)
{
	static const char *const words[3][2] = {
		{"a thread probably waits for a lock that it holds itself: a deadlock",
		 "a thread waits for a lock that it holds itself: a deadlock"},
		{"two threads probably wait for each other's locks: a deadlock",
		 "two threads wait for each other's locks: a deadlock"},
		{"threads probably wait for each other's locks in a circle: a deadlock",
		 "threads wait for each other's locks in a circle: a deadlock"},
	};

	return words[circle->n < 3 ? circle->n - 1 : 2][circle->sure];
}

/*
 * Does it happen to whoever comes by, because of what others have done? A heap that is
 * corrupted does; and the interpreter's own code fails by itself no more than rarely:
 * then two that are at an object of an extension module's say more than it does.
 */
static void add_others(const struct ftsan_death *death,
		       const struct ftsan_crash_verdict *verdict)
{
	struct ftsan_pairing pairing = work.pairing;
	bool met = ftsan_crash_met(verdict->cause);

	if (pairing.relation >= (met ? FTSAN_SAME_OBJECT : FTSAN_SAME_FUNCTION) ||
	    (!met && (!ftsan_crash_by_race(verdict->cause) ||
		      !ftsan_witness_is_plain(&death->witness[0]))) ||
	    !ftsan_pairing_others(&pairing, death))
		return;
	if (met || (!death->witness[pairing.second].doing.builtin &&
		    !death->witness[pairing.third].doing.builtin))
		work.pairing = pairing;
}

static struct ftsan_crash_verdict judge(const struct ftsan_death *death)
{
	struct ftsan_crash_verdict verdict;

	ftsan_pairing_nearest(&work.pairing, death, 0);
	verdict = ftsan_crash_judge(&work.fault.facts);
	add_others(death, &verdict);
	work.fault.facts.relation = work.pairing.relation;
	work.fault.facts.waits = work.pairing.waits;
	return ftsan_crash_judge(&work.fault.facts);
}

void ftsan_crash_look(const struct ftsan_death *death)
{
	memset(&work, 0, sizeof(work));
	work.fault.reg = "";
	work.fault.facts.signal = death->signal;
	if (death->plain)
		return;
	ftsan_witness_look(true);
	ftsan_fault_look(&work.fault, death->signal, death->info, death->ucontext,
			 death->message);
	work.fault.facts.allocates = ftsan_moment_allocates(&death->witness[0].stack);
	work.fault.facts.frees = ftsan_moment_frees(&death->witness[0].stack);
	ftsan_witness_look(false);
}

unsigned ftsan_crash_explained(const struct ftsan_death *death)
{
	struct ftsan_crash_verdict verdict = judge(death);
	const struct ftsan_pairing *pairing = &work.pairing;

	if (!ftsan_crash_by_race(verdict.cause))
		return FTSAN_CRASH_EXPLAINED;
	if (!ftsan_pairing_says(pairing))
		return pairing->relation >= FTSAN_SAME_FUNCTION;
	if (pairing->relation != FTSAN_SHARED_ARGUMENT)
		return FTSAN_CRASH_EXPLAINED;
	/* An argument that two threads have in common need not be the one, and one
	 * between two operations has done nothing to it. */
	if (death->witness[pairing->second].doing.name[0] == '\0')
		return 2;
	return ftsan_crash_met(verdict.cause) ? 3 : FTSAN_CRASH_EXPLAINED;
}

/* The main thread mostly waits for others to end: one that is in an extension module, and
 * that nobody keeps from what it does, is rather what does not end. */
static unsigned who_is_at_work(const struct ftsan_death *death)
{
	const struct ftsan_witness *all = death->witness;

	if (death->n_witnesses == 0 || !ftsan_moment_parked(&all[0].stack))
		return 0;
	for (unsigned i = 1; i < death->n_witnesses; i++)
		if (all[i].doing.name[0] != '\0' && !ftsan_witness_is_plain(&all[i]) &&
		    !ftsan_moment_parked(&all[i].stack) &&
		    !ftsan_moment_waits(&all[i].stack))
			return i;
	return 0;
}

static struct ftsan_crash_verdict judge_hang(const struct ftsan_death *death)
{
	struct ftsan_pairing *pairing = &work.pairing;
	struct ftsan_circle circle;

	memset(&work, 0, sizeof(work));
	ftsan_pairing_any(pairing, death);
	ftsan_circle_find(&circle, death);
	if (circle.n > 0)
		*pairing = (struct ftsan_pairing){.first = circle.a, .second = circle.b};
	else if (pairing->relation == FTSAN_UNRELATED)
		pairing->first = pairing->second = who_is_at_work(death);
	pairing->third = pairing->first;
	return (struct ftsan_crash_verdict){
		.sentence = circle.n > 0 ? circle_words(&circle) : "nothing says why"};
}

bool ftsan_crash_report(const struct ftsan_death *death)
{
	struct ftsan_incident *incident = &work.incident;
	struct ftsan_crash_verdict verdict;

	if (death->signal == 0) {
		verdict = judge_hang(death);
	} else {
		ftsan_crash_look(death);
		verdict = judge(death);
	}
	fill_death(death, &verdict);
	incident->kind = death->signal == 0 ? FTSAN_KIND_HANG
			 : verdict.cause == FTSAN_CAUSE_USE_AFTER_FREE
				 ? FTSAN_KIND_USE_AFTER_FREE
				 : FTSAN_KIND_CRASH;
	incident->confidence =
		death->signal != 0 ? confidence_of(verdict.certainty) : FTSAN_CONFIRMED;
	incident->address = work.fault.has_access ? work.fault.access.address : 0;
	incident->title = ftsan_crash_title(death, &work.pairing);
	incident->description = work.fault.pointer.kind != FTSAN_POINTER_NONE
					? work.fault.pointer.text
					: NULL;
	incident->death = &work.death;
	add_parties(incident, death, &work.pairing);
	return ftsan_report(incident);
}
