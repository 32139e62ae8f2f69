#include "sampler/budget.h"

#include <stdatomic.h>

#include "base/base.h"
#include "budget/budget.h"

enum {
	HITS_A_SECOND = 2000,
	/* Aiming disturbs every thread: at most this part of the run time goes there. */
	ARM_PERCENT = 5,
	SECOND_NS = 1000000000,
};

/* Set at start. */
static uint32_t rate, burst, percent;
static uint64_t ahead_ns;
static const uint64_t AHEAD_NS = UINT64_C(3) * 1000 * 1000 * 1000;

static _Atomic uint64_t began_ns;
/* When the tokens that were taken will have been earned. */
static _Atomic uint64_t paid_until_ns;
/* The mean price of aiming a watch, of late. */
static _Atomic uint64_t arm_ns;
static uint64_t last_turn_ns; /* the scout's */

void ftsan_budget_init(uint32_t the_rate, uint32_t the_percent, bool interpreter)
{
	enum { MORE = 20 };

	rate = the_rate == 0 ? 1 : the_rate;
	burst = rate < 10 ? 10 : rate;
	percent = the_percent;
	ahead_ns = 0;
	if (interpreter) {
		burst *= MORE;
		ahead_ns = AHEAD_NS;
	}
	atomic_store(&arm_ns, 0);
}

void ftsan_budget_start(void)
{
	uint64_t now = ftsan_effort_run_ns();

	atomic_store(&began_ns, now);
	atomic_store(&paid_until_ns, now);
	last_turn_ns = now;
}

/* interval() - between two tokens: longer where aiming is dear, as with many threads. */
static uint64_t interval(void)
{
	uint64_t by_rate = SECOND_NS / rate;
	uint64_t by_price =
		atomic_load_explicit(&arm_ns, memory_order_relaxed) * 100 / ARM_PERCENT;

	return by_rate > by_price ? by_rate : by_price;
}

static uint32_t tokens(uint64_t now, uint64_t paid, uint64_t each)
{
	if (paid <= now)
		return burst;
	return paid - now >= burst * each
		       ? 0
		       : (uint32_t)(burst - (paid - now + each - 1) / each);
}

static void ask(struct ftsan_delay_question *question, uint64_t now, uint64_t paid)
{
	question->tokens = tokens(now, paid, interval());
	question->burst = burst;
	question->spent_ns =
		ftsan_counted(sampler_delay_ns) + ftsan_counted(sampler_arm_ns);
	question->elapsed_ns =
		now - atomic_load_explicit(&began_ns, memory_order_relaxed);
	question->ahead_ns = ahead_ns;
	question->budget_percent = percent;
}

bool ftsan_budget_may(struct ftsan_delay_question *question)
{
	ask(question, ftsan_effort_run_ns(),
	    atomic_load_explicit(&paid_until_ns, memory_order_relaxed));
	return ftsan_rule_delay(question);
}

bool ftsan_budget_take(struct ftsan_delay_question *question)
{
	uint64_t now = ftsan_effort_run_ns();
	uint64_t paid = atomic_load_explicit(&paid_until_ns, memory_order_relaxed), next;

	do {
		ask(question, now, paid);
		if (!ftsan_rule_delay(question))
			return false;
		next = (paid > now ? paid : now) + interval();
	} while (!atomic_compare_exchange_weak(&paid_until_ns, &paid, next));
	return true;
}

void ftsan_budget_spent(uint64_t arming_ns, uint64_t wait_ns)
{
	uint64_t mean = atomic_load_explicit(&arm_ns, memory_order_relaxed);

	ftsan_count_add(sampler_arm_ns, arming_ns);
	ftsan_count_add(sampler_delay_ns, wait_ns);
	atomic_store_explicit(&arm_ns, mean - mean / 8 + arming_ns / 8,
			      memory_order_relaxed);
}

uint32_t ftsan_budget_turns(void)
{
	uint64_t now = ftsan_effort_run_ns();
	uint64_t due = (now - last_turn_ns) * HITS_A_SECOND / SECOND_NS;

	/* A program that waits saves little up: it would be in traps when it goes on. */
	if (due > HITS_A_SECOND / 10)
		due = HITS_A_SECOND / 10;
	if (due > 0)
		last_turn_ns = now;
	return (uint32_t)due;
}
