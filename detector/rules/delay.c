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

/* On a busy machine, the others hardly run while one is held: a word that threads do
 * write is worth more tries. */
static uint32_t patience(const struct ftsan_delay_question *q)
{
	return rank(q) == 0 ? 12 : 4;
}

bool ftsan_rule_interesting(const struct ftsan_delay_question *q)
{
	enum { TRIES = 6 };

	return rank(q) <= 2 && q->fruitless < TRIES * patience(q);
}

/* In vain so often: up to all has to be there. */
static uint32_t sixteenths(const struct ftsan_delay_question *q)
{
	uint32_t n = rank(q) + q->fruitless / patience(q);

	return n < 16 ? n : 16;
}

/* How many tokens have to be left for it to get one. */
static uint32_t reserve(const struct ftsan_delay_question *q)
{
	uint32_t kept = (uint32_t)((uint64_t)q->burst * sixteenths(q) / 16);

	return kept < q->burst ? kept : q->burst - 1;
}

/* within_time() - what matters little gets no more than half of the time. */
static bool within_time(const struct ftsan_delay_question *q)
{
	uint64_t most = BURST_NS + q->ahead_ns +
			q->elapsed_ns / 100 * q->budget_percent * q->threads;

	return q->spent_ns <= most - most / 32 * sixteenths(q);
}

uint32_t ftsan_rule_longer(const struct ftsan_delay_question *q)
{
	enum { MORE = 4 };
	uint64_t earned =
		q->ahead_ns + q->elapsed_ns / 100 * q->budget_percent * q->threads;
	uint32_t least = q->ahead_ns > 0 ? 1 : 0;

	return rank(q) <= least && q->spent_ns < earned / 2 ? MORE : 0;
}

bool ftsan_rule_delay(const struct ftsan_delay_question *q)
{
	if (q->threads < 2 || q->turns || q->budget_percent == 0)
		return false;
	return within_time(q) && q->tokens > reserve(q);
}
