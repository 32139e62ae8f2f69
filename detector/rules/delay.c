#include "rules/delay.h"

/* A run that has just begun may spend this much before the percentage counts. */
static const uint64_t BURST_NS = 200u * 1000 * 1000;

/* How many tokens have to be left for it to get one. */
static uint32_t reserve(const struct ftsan_delay_question *q)
{
	enum { PATIENCE = 8 };
	uint32_t kept = 0;

	if (q->use != FTSAN_USE_SHARED_WRITTEN && !q->foreign)
		kept = q->use == FTSAN_USE_SHARED ? q->burst / 4 : q->burst / 2;
	/* In vain so often: up to all of the burst has to be there. */
	kept += (uint32_t)((uint64_t)q->burst * (q->fruitless / PATIENCE) / 8);
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
