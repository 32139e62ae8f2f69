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

/*
 * struct purse - delays of one kind
 * @clock: by which they are earned
 * @began_ns: when that was; @paid_until_ns: when those that were taken will have been
 */
struct purse {
	uint64_t (*clock)(void);
	_Atomic uint64_t began_ns, paid_until_ns;
};

/* All of them; once the program only repeats itself, those that may show something. The
 * others have one of their own then. */
static struct purse common = {.clock = ftsan_effort_full_ns};
static struct purse unlikely = {.clock = ftsan_effort_run_ns};

/* The mean price of aiming a watch, of late. */
static _Atomic uint64_t arm_ns;

/* The scout's: when turns were given last. */
static uint64_t last_turn_ns, last_known_ns;

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

static void start(struct purse *purse)
{
	uint64_t now = purse->clock();

	atomic_store(&purse->began_ns, now);
	atomic_store(&purse->paid_until_ns, now);
}

void ftsan_budget_start(void)
{
	start(&common);
	start(&unlikely);
	last_turn_ns = ftsan_effort_full_ns();
	last_known_ns = ftsan_effort_run_ns();
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

static struct purse *purse_of(const struct ftsan_delay_question *question)
{
	return ftsan_effort_is_steady() && !ftsan_rule_interesting(question) ? &unlikely
									     : &common;
}

static void ask(struct ftsan_delay_question *question, const struct purse *purse,
		uint64_t now, uint64_t paid)
{
	question->tokens = tokens(now, paid, interval());
	question->burst = burst;
	question->spent_ns =
		ftsan_counted(sampler_delay_ns) + ftsan_counted(sampler_arm_ns);
	question->elapsed_ns =
		now - atomic_load_explicit(&purse->began_ns, memory_order_relaxed);
	question->ahead_ns = ahead_ns;
	question->budget_percent = percent;
}

bool ftsan_budget_may(struct ftsan_delay_question *question)
{
	const struct purse *purse = purse_of(question);

	ask(question, purse, purse->clock(),
	    atomic_load_explicit(&purse->paid_until_ns, memory_order_relaxed));
	return ftsan_rule_delay(question);
}

bool ftsan_budget_take(struct ftsan_delay_question *question)
{
	struct purse *purse = purse_of(question);
	uint64_t now = purse->clock(), next;
	uint64_t paid = atomic_load_explicit(&purse->paid_until_ns, memory_order_relaxed);

	do {
		ask(question, purse, now, paid);
		if (!ftsan_rule_delay(question))
			return false;
		next = (paid > now ? paid : now) + interval();
	} while (!atomic_compare_exchange_weak(&purse->paid_until_ns, &paid, next));
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

/* A program that waits saves little up: it would be in traps when it goes on. */
static uint32_t due(uint64_t *last, uint64_t now)
{
	uint64_t turns = (now - *last) * HITS_A_SECOND / SECOND_NS;

	if (turns > HITS_A_SECOND / 10)
		turns = HITS_A_SECOND / 10;
	if (turns > 0)
		*last = now;
	return (uint32_t)turns;
}

struct ftsan_turns ftsan_budget_turns(void)
{
	return (struct ftsan_turns){
		.all = due(&last_turn_ns, ftsan_effort_full_ns()),
		.known = due(&last_known_ns, ftsan_effort_run_ns()),
	};
}
