#include "rules/effort.h"

/* What a hit of a watchpoint costs, signal and all, and how much of the run time. */
static const uint64_t HIT_NS = 18u * 1000;
enum { HIT_PERCENT = 5 };

/* What it costs to aim watchpoints and to park them again, and how much of the run time
 * that may take; the burst lets short runs aim them freely. */
static const uint64_t AIM_NS = 40u * 1000, AIM_BURST_NS = 100u * 1000 * 1000;
enum { AIM_PERCENT = 1, AIMS_OF_HIT = 16 };

/* A run that has just begun may spend this much before the percentage counts. */
static const uint64_t WINDOW_BURST_NS = 100u * 1000 * 1000;

bool ftsan_rule_exhausted(const struct ftsan_window_question *q)
{
	return q->site_proven || q->site_windows >= q->site_limit ||
	       q->object_windows >= q->object_limit;
}

uint64_t ftsan_rule_window_length(uint64_t option_ns, uint32_t object_windows,
				  uint32_t object_limit)
{
	return object_windows < object_limit / 2 ? option_ns : 4 * option_ns;
}

bool ftsan_rule_open_window(const struct ftsan_window_question *q)
{
	if (q->threads < 2 || q->length_ns == 0 || q->budget_percent == 0)
		return false;
	if (q->deviates || ftsan_rule_exhausted(q))
		return false;
	return q->spent_ns + q->length_ns <=
	       WINDOW_BURST_NS + q->elapsed_ns / 100 * q->budget_percent;
}

enum ftsan_publish_answer ftsan_rule_publish(const struct ftsan_publish_question *q)
{
	if (q->cooling || (!q->foreign && q->age_ticks < 1))
		return FTSAN_PUBLISH_LATER;
	if (q->over_budget && !q->foreign && q->site_published >= FTSAN_RARE_SITE)
		return FTSAN_PUBLISH_PUT_OFF;
	if (!q->bound)
		return FTSAN_PUBLISH_UNBOUND;
	if (!ftsan_rule_within(q->fragments, q->fragment_limit, q->site_published))
		return FTSAN_PUBLISH_OVER_LIMIT;
	return FTSAN_PUBLISH_NOW;
}

bool ftsan_rule_spent(uint64_t spent_ns, uint64_t cpu_ns, uint64_t burst_ns,
		      uint32_t percent)
{
	return spent_ns > burst_ns + cpu_ns / 100 * percent;
}

/* run_time() - what @ran counts on one processor, in @passed. */
static uint64_t run_time(uint64_t ran, uint64_t passed)
{
	enum { LEAST = 16 };
	uint64_t most = ran < passed ? ran : passed;

	return most > passed / LEAST ? most : passed / LEAST;
}

struct ftsan_effort_gain ftsan_rule_effort(const struct ftsan_effort_step *step)
{
	uint64_t old = step->ran_ns - step->new_ns;
	uint64_t cpu = step->new_ns + old / 100 * step->steady_percent;

	return (struct ftsan_effort_gain){
		.cpu_ns = cpu,
		.run_ns = run_time(cpu, step->passed_ns),
		.full_ns = run_time(step->ran_ns, step->passed_ns)};
}

/* floor(log2(n)) for n > 0 */
static uint32_t log2_of(uint32_t n)
{
	return 31 - (uint32_t)__builtin_clz(n);
}

bool ftsan_rule_sample(uint32_t calls, uint32_t always)
{
	uint32_t period;

	if (always == 0 || calls < always)
		return true;
	period = 1u << log2_of(calls / always);
	if (period > FTSAN_SAMPLE_RAREST / 2)
		period = FTSAN_SAMPLE_RAREST / 2;
	return calls % (2 * period) == 0;
}

bool ftsan_rule_sample_known(uint32_t calls, uint32_t always, uint32_t harmless)
{
	return harmless < FTSAN_HARMLESS || ftsan_rule_sample(calls, (always + 3) / 4);
}

bool ftsan_rule_watch(uint64_t hits, uint64_t elapsed_ns)
{
	return hits * HIT_NS <= WINDOW_BURST_NS + elapsed_ns / 100 * HIT_PERCENT;
}

bool ftsan_rule_aim(uint64_t armed, uint64_t hits, uint64_t elapsed_ns, bool first)
{
	uint64_t most = AIM_BURST_NS + elapsed_ns / 100 * AIM_PERCENT;
	uint64_t paid = hits * AIMS_OF_HIT;

	return paid >= armed ||
	       (armed - paid) * AIM_NS <= (first ? most + AIM_BURST_NS : most);
}
