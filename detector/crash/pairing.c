#include "crash/pairing.h"

#include "base/base.h"
#include "crash/moment.h"
#include "stacks/stacks.h"

static enum ftsan_relation relate(const struct ftsan_death *death, unsigned a, unsigned b)
{
	struct ftsan_deed deeds[2];
	const unsigned which[2] = {a, b};

	for (unsigned i = 0; i < 2; i++) {
		const struct ftsan_doing *doing = &death->witness[which[i]].doing;

		deeds[i] = (struct ftsan_deed){
			.function = doing->function,
			.module = doing->builtin
					  ? 0
					  : (uintptr_t)ftsan_module_of(doing->function),
			.object = doing->object,
			.others = doing->others,
			.n_others = doing->n_others,
		};
	}
	return ftsan_relate(&deeds[0], &deeds[1]);
}

static bool is_named(const struct ftsan_death *death, unsigned i)
{
	return death->witness[i].doing.name[0] != '\0';
}

/* Of what two have in common: the higher the more it says. One that is not kept from the
 * thing by a lock comes before one that is, and one whose operation is known first. */
static unsigned rank(enum ftsan_relation relation, bool waits, bool named)
{
	return relation <= FTSAN_SAME_METHOD
		       ? relation
		       : FTSAN_SAME_METHOD + 16u * !waits + 2u * relation + named;
}

static bool is_better(const struct ftsan_death *death, unsigned than, unsigned a,
		      unsigned b, struct ftsan_pairing *out, unsigned *now)
{
	enum ftsan_relation relation = relate(death, a, b);
	bool waits;

	/* Symbols are looked up for what may matter only. */
	if (relation == FTSAN_UNRELATED || rank(relation, false, true) <= than)
		return false;
	waits = relation > FTSAN_SAME_METHOD &&
		(ftsan_moment_waits(&death->witness[a].stack) ||
		 ftsan_moment_waits(&death->witness[b].stack));
	*now = rank(relation, waits, is_named(death, a) && is_named(death, b));
	if (*now <= than)
		return false;
	out->relation = relation;
	out->waits = waits;
	return true;
}

void ftsan_pairing_nearest(struct ftsan_pairing *out, const struct ftsan_death *death,
			   unsigned first)
{
	unsigned best = FTSAN_UNRELATED;

	*out = (struct ftsan_pairing){.first = first, .second = first, .third = first};
	for (unsigned i = 0; i < death->n_witnesses; i++)
		if (i != first && is_better(death, best, first, i, out, &best))
			out->second = i;
}

bool ftsan_pairing_others(struct ftsan_pairing *out, const struct ftsan_death *death)
{
	struct ftsan_pairing pair = *out;
	unsigned best = out->relation > FTSAN_SAME_METHOD
				? rank(out->relation, out->waits, true)
				: FTSAN_SAME_METHOD;

	for (unsigned i = 0; i < death->n_witnesses; i++)
		for (unsigned k = i + 1; k < death->n_witnesses; k++) {
			if (i == out->first || k == out->first ||
			    !is_better(death, best, i, k, &pair, &best))
				continue;
			pair.second = i;
			pair.third = k;
		}
	if (pair.third == out->first)
		return false;
	*out = pair;
	return true;
}

void ftsan_pairing_any(struct ftsan_pairing *out, const struct ftsan_death *death)
{
	struct ftsan_pairing best = {.relation = FTSAN_UNRELATED};

	for (unsigned i = 0; i < death->n_witnesses; i++) {
		struct ftsan_pairing now;

		ftsan_pairing_nearest(&now, death, i);
		if (now.relation > best.relation && now.relation > FTSAN_SAME_METHOD)
			best = now;
	}
	*out = best;
}

bool ftsan_pairing_says(const struct ftsan_pairing *pairing)
{
	return pairing->relation >= FTSAN_SAME_FUNCTION && !pairing->waits;
}
