#include "rules/delay.h"

/* A run that has just begun may spend this much before the percentage counts. */
static const uint64_t BURST_NS = 200u * 1000 * 1000;

/*
 * How likely a word is raced for, in sixteenths of the tokens that have to be left for
 * it. Most of what extensions read is written once and for all; so a load counts little
 * until somebody was seen to store.
 */
static uint32_t rank(const struct ftsan_delay_question *q)
{
	if (q->state)
		return q->use == FTSAN_USE_SHARED_WRITTEN ? 12 : 14;
	if (q->use == FTSAN_USE_SHARED_WRITTEN)
		return q->foreign ? 0 : 2;
	if (q->writes)
		return q->foreign ? 1 : 10;
	if (q->foreign)
		return 8;
	return q->use == FTSAN_USE_SHARED ? 12 : 14;
}

bool ftsan_rule_interesting(const struct ftsan_delay_question *q)
{
	enum { TRIES = 24 };

	return rank(q) <= 2 && q->fruitless < TRIES;
}

/* How many tokens have to be left for it to get one. */
static uint32_t reserve(const struct ftsan_delay_question *q)
{
	enum { PATIENCE = 4 };
	/* In vain so often: up to all of the burst has to be there. */
	uint64_t sixteenths = rank(q) + q->fruitless / PATIENCE;
	uint32_t kept = (uint32_t)(q->burst * sixteenths / 16);

	return kept < q->burst ? kept : q->burst - 1;
}

bool ftsan_rule_delay(const struct ftsan_delay_question *q)
{
	if (q->threads < 2 || q->budget_percent == 0)
		return false;
	if (q->spent_ns > BURST_NS + q->elapsed_ns / 100 * q->budget_percent * q->threads)
		return false;
	return q->tokens > reserve(q);
}
