#include "crash/holder.h"

static bool holds(const struct ftsan_witness *witness, uintptr_t lock)
{
	for (unsigned i = 0; i < witness->n_held; i++)
		if (witness->held[i] == lock)
			return true;
	return false;
}

static bool is_on_record(struct ftsan_holder *out, const struct ftsan_death *death,
			 unsigned i)
{
	const struct ftsan_witness *waiting = &death->witness[i];

	for (unsigned k = 0; k < death->n_witnesses; k++)
		if ((waiting->owner != 0 && death->witness[k].tid == waiting->owner) ||
		    (k != i && waiting->owner == 0 &&
		     holds(&death->witness[k], waiting->waits_for))) {
			*out = (struct ftsan_holder){.by = k, .sure = true};
			return true;
		}
	return false;
}

/* One that works with the object and does not wait for its lock; two say nothing. */
static bool is_likely(struct ftsan_holder *out, const struct ftsan_death *death,
		      unsigned i)
{
	uintptr_t lock = death->witness[i].waits_for;
	unsigned found = 0;

	for (unsigned k = 0; k < death->n_witnesses; k++) {
		if (death->witness[k].waits_for == lock ||
		    !ftsan_witness_has(&death->witness[k], lock))
			continue;
		found++;
		*out = (struct ftsan_holder){.by = k, .sure = false};
	}
	return found == 1;
}

/*
 * The lock of a module as a whole: one other thread is in the module, and waits for
 * another lock. One that does not wait says nothing: whoever took the lock may have left
 * the module with it.
 */
static bool is_in_its_module(struct ftsan_holder *out, const struct ftsan_death *death,
			     unsigned i)
{
	uintptr_t lock = death->witness[i].waits_for;
	unsigned found = 0;

	for (unsigned k = 0; k < death->n_witnesses; k++) {
		if (death->witness[k].waits_for == lock ||
		    !ftsan_witness_is_beside(&death->witness[k], lock))
			continue;
		found++;
		*out = (struct ftsan_holder){.by = k, .sure = false};
	}
	return found == 1 && death->witness[out->by].waits_for != 0;
}

bool ftsan_holder_of(struct ftsan_holder *out, const struct ftsan_death *death,
		     unsigned i)
{
	if (death->witness[i].waits_for == 0)
		return false;
	return is_on_record(out, death, i) || is_likely(out, death, i) ||
	       is_in_its_module(out, death, i);
}

/* The circle that witness @i is in. */
static void follow(struct ftsan_circle *out, const struct ftsan_death *death, unsigned i)
{
	struct ftsan_holder holder;
	unsigned at = i;
	bool sure = true;

	for (unsigned n = 1; n <= death->n_witnesses; n++) {
		if (!ftsan_holder_of(&holder, death, at))
			return;
		if (n == 1)
			out->b = holder.by;
		sure &= holder.sure;
		at = holder.by;
		if (at != i)
			continue;
		out->n = n;
		out->a = i;
		out->sure = sure;
		return;
	}
}

void ftsan_circle_find(struct ftsan_circle *out, const struct ftsan_death *death)
{
	*out = (struct ftsan_circle){.n = 0};
	for (unsigned i = 0; i < death->n_witnesses && out->n == 0; i++)
		follow(out, death, i);
}
