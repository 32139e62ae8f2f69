#include "rules/sampled.h"

bool ftsan_rule_plain(const struct ftsan_sampled_side *side)
{
	if (side->locked)
		return false;
	if (side->form == FTSAN_ACCESS_WIDE || side->unaligned || side->libc)
		return true;
	return side->form == FTSAN_ACCESS_FOLDED && !side->folds;
}

/*
 * A reference that is replaced by a plain move leaves whoever has just loaded it without
 * the object: its count has to go up before the other thread lets go of it. Lock-free
 * code that does it knows of another way to keep the object, and has atomics for it.
 */
static bool replaces_reference(const struct ftsan_sampled_question *q)
{
	return q->reference && q->changed && q->size == 8 && q->before != 0;
}

/*
 * as_with_flag() - a module whose only atomics are loads and stores up to release has the
 * machine code of one that has none. What it has of the kind are flags and the like: in
 * statics, stored as they are, no pointers to what somebody has to free one day.
 */
static bool as_with_flag(const struct ftsan_sampled_question *q)
{
	return q->global && !q->held.updates && !q->other.updates &&
	       !(q->pointers && q->changed && q->size == 8);
}

/*
 * CPython loads without a lock what it stores under one (a list's items and size), and
 * keeps what it replaces until nobody can be looking. There a reference is replaced by
 * design, and a field that is accessed as none for atomics elsewhere may be so by whoever
 * holds the lock, or has the object alone. What proves is the pair itself, and that the
 * field is one that is changed in place.
 */
static bool both_interpreter(const struct ftsan_sampled_question *q)
{
	return q->held.interpreter && q->other.interpreter;
}

/*
 * harmless() - it leaves the word as it is. A wide store (libc's localeconv() makes them)
 * covers more than the word: harmless to who looks no further, and to all where the rest
 * of what the two have in common is known to be left as it is, too.
 */
static bool harmless(const struct ftsan_sampled_side *side,
		     const struct ftsan_sampled_side *to, bool whole)
{
	bool narrow = to->form == FTSAN_ACCESS_MOVE || to->form == FTSAN_ACCESS_FOLDED;
	bool known = side->form == FTSAN_ACCESS_MOVE ||
		     (side->form == FTSAN_ACCESS_WIDE && (narrow || whole));

	return !side->writes || (side->same && !side->varies && !side->updates && known);
}

static bool both_harmless(const struct ftsan_sampled_question *q)
{
	return harmless(&q->held, &q->other, q->whole) &&
	       harmless(&q->other, &q->held, q->whole);
}

/* only_stored() - nobody can go on with the wrong value. */
static bool only_stored(const struct ftsan_sampled_question *q)
{
	return q->held.writes && q->other.writes && !q->held.reads && !q->other.reads &&
	       !q->read_before && !q->held.updates && !q->other.updates;
}

static bool asks_in_vain(const struct ftsan_sampled_side *reader,
			 const struct ftsan_sampled_side *writer)
{
	return reader->tests_null && !reader->writes && writer->stores_one;
}

/* only_asked() - there is a pointer before and after, and nobody takes it. */
static bool only_asked(const struct ftsan_sampled_question *q)
{
	return q->size == 8 && q->before != 0 && q->after != 0 &&
	       (asks_in_vain(&q->held, &q->other) || asks_in_vain(&q->other, &q->held));
}

static bool leaves_out(const struct ftsan_sampled_side *reader,
		       const struct ftsan_sampled_side *writer)
{
	return reader->ignores != 0 && !reader->writes && writer->changes_known &&
	       (writer->changes & ~reader->ignores) == 0;
}

/* only_marked() - the store changes bits that the reader cuts off. */
static bool only_marked(const struct ftsan_sampled_question *q)
{
	return q->size == 8 &&
	       (leaves_out(&q->held, &q->other) || leaves_out(&q->other, &q->held));
}

static bool is_harmless(const struct ftsan_sampled_question *q)
{
	return only_stored(q) || only_asked(q) || only_marked(q) || both_harmless(q);
}

enum ftsan_sampled_verdict ftsan_rule_sampled(const struct ftsan_sampled_question *q,
					      enum ftsan_plain_proof *proof)
{
	*proof = FTSAN_PROOF_NONE;
	if (!q->held.writes && !q->other.writes)
		return FTSAN_SAMPLED_NOTHING;
	/* Who locks the bus for the word synchronises it. */
	if (q->held.locked || q->other.locked)
		return FTSAN_SAMPLED_NOTHING;
	if (ftsan_rule_plain(&q->held) || ftsan_rule_plain(&q->other))
		*proof = FTSAN_PROOF_PAIR;
	else if (both_interpreter(q) ? q->updated_before : q->plain_before)
		*proof = FTSAN_PROOF_FIELD;
	else if (both_interpreter(q))
		*proof = FTSAN_PROOF_NONE;
	else if (replaces_reference(q))
		*proof = FTSAN_PROOF_REFERENCE;
	else if (!q->held.lock_free && !q->other.lock_free && !as_with_flag(q))
		*proof = FTSAN_PROOF_MODULE;
	if (*proof == FTSAN_PROOF_NONE)
		return FTSAN_SAMPLED_POSSIBLY_ATOMIC;
	return is_harmless(q) ? FTSAN_SAMPLED_HARMLESS : FTSAN_SAMPLED_RACE;
}

const char *ftsan_rule_sampled_harm(const struct ftsan_sampled_question *q)
{
	bool both_write = q->held.writes && q->other.writes;
	bool updates = q->held.updates || q->other.updates;

	if (only_asked(q))
		return "the reader asks for NULL and takes nothing, and there is a "
		       "pointer before and after";
	if (only_marked(q))
		return "the store changes only bits that the reader cuts off";
	if (replaces_reference(q))
		return "the reference is replaced while another thread takes it: that "
		       "thread may use the object after it was freed";
	if (only_stored(q))
		return "threads store to the word, and nobody was seen to load it";
	if (both_harmless(q))
		return "the value that is there is stored again, so the reader is right "
		       "as long as that stays so";
	if (q->before == 0 && q->after != 0 && q->size == 8)
		return "a thread may see the pointer before what it points to is "
		       "complete, or both may make one of their own";
	if (updates)
		return "a thread stores what it made of the value that it had loaded, "
		       "and undoes what another one has stored meanwhile";
	if (q->held.form == FTSAN_ACCESS_WIDE || q->other.form == FTSAN_ACCESS_WIDE)
		return "a part of one thread's value may be taken for the other's";
	if (both_write)
		return "two threads store different values, and which one stays is up to "
		       "chance";
	return "the reader goes on with a value that is out of date, next to others that "
	       "are not";
}

const char *ftsan_plain_proof_name(enum ftsan_plain_proof proof)
{
	switch (proof) {
	case FTSAN_PROOF_PAIR:
		return "one of the two instructions is none that compilers make for "
		       "atomics";
	case FTSAN_PROOF_FIELD:
		return "other instructions access the same word as none for atomics "
		       "would";
	case FTSAN_PROOF_REFERENCE:
		return "a reference is replaced";
	case FTSAN_PROOF_MODULE:
		return "the code has no atomic instructions";
	case FTSAN_PROOF_NONE:
		break;
	}
	return "both instructions may be those of atomics";
}
