#include "budget/effort.h"

#include <stdatomic.h>

#include "base/base.h"
#include "rules/rules.h"

/* How long the clocks run at full speed after the last news: at most, for an instruction,
 * for a thread. */
static const uint64_t NEWS_MAX_NS = 1000u * 1000 * 1000;
static const uint64_t CODE_NS = 100u * 1000, THREAD_NS = 20u * 1000 * 1000;
/* Who reads moves them on when they are so old. */
static const uint64_t STEP_NS = 1000u * 1000;

static uint32_t steady_percent; /* set at start */

static _Atomic uint64_t cpu_clock, run_clock, full_clock;
static _Atomic uint64_t news_ns; /* processor's time at full speed that is left */
static _Atomic bool watched;
/* When they were moved on, and what had run by then. */
static _Atomic uint64_t moved_ns, moved_cpu_ns;

void ftsan_effort_init(uint32_t percent)
{
	steady_percent = percent;
	ftsan_effort_begin();
}

void ftsan_effort_begin(void)
{
	atomic_store(&cpu_clock, 0);
	atomic_store(&run_clock, 0);
	atomic_store(&full_clock, 0);
	atomic_store(&news_ns, NEWS_MAX_NS);
	atomic_store(&watched, false);
	atomic_store(&moved_cpu_ns, ftsan_sys_cpu_ns());
	atomic_store(&moved_ns, ftsan_sys_now_ns());
}

void ftsan_effort_watched(void)
{
	atomic_store_explicit(&watched, true, memory_order_relaxed);
}

static void add_news(uint64_t ns)
{
	uint64_t left = atomic_load_explicit(&news_ns, memory_order_relaxed), more;

	do {
		more = left + ns < NEWS_MAX_NS ? left + ns : NEWS_MAX_NS;
	} while (more != left && !atomic_compare_exchange_weak_explicit(
					 &news_ns, &left, more, memory_order_relaxed,
					 memory_order_relaxed));
}

void ftsan_effort_new_code(void)
{
	add_news(CODE_NS);
}

void ftsan_effort_new_thread(void)
{
	add_news(THREAD_NS);
}

/* take_news() - up to @ns of them. */
static uint64_t take_news(uint64_t ns)
{
	uint64_t left = atomic_load_explicit(&news_ns, memory_order_relaxed), taken;

	if (!atomic_load_explicit(&watched, memory_order_relaxed))
		return ns;
	do {
		taken = left < ns ? left : ns;
	} while (taken != 0 && !atomic_compare_exchange_weak_explicit(
				       &news_ns, &left, left - taken,
				       memory_order_relaxed, memory_order_relaxed));
	return taken;
}

bool ftsan_effort_is_steady(void)
{
	return atomic_load_explicit(&watched, memory_order_relaxed) &&
	       atomic_load_explicit(&news_ns, memory_order_relaxed) == 0;
}

/*
 * move_on() - by what passed since @before. No lock: a handler of the program's may leave
 * in the middle by siglongjmp. Of two threads that follow each other closely, one may
 * count what the other one has let run.
 */
static void move_on(uint64_t before, uint64_t now)
{
	uint64_t cpu = ftsan_sys_cpu_ns();
	uint64_t cpu_before = atomic_exchange(&moved_cpu_ns, cpu);
	struct ftsan_effort_step step = {.passed_ns = now - before,
					 .steady_percent = steady_percent};
	struct ftsan_effort_gain gain;

	step.ran_ns = cpu > cpu_before ? cpu - cpu_before : 0;
	step.new_ns = take_news(step.ran_ns);
	gain = ftsan_rule_effort(&step);
	ftsan_count_add(steady_ns, step.ran_ns - step.new_ns);
	atomic_fetch_add_explicit(&cpu_clock, gain.cpu_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&run_clock, gain.run_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&full_clock, gain.full_ns, memory_order_relaxed);
}

static uint64_t read_clock(const _Atomic uint64_t *which)
{
	uint64_t before = atomic_load_explicit(&moved_ns, memory_order_relaxed);
	uint64_t now = ftsan_sys_now_ns();

	/* Who sets the time has the interval to itself. */
	if (now >= before + STEP_NS &&
	    atomic_compare_exchange_strong(&moved_ns, &before, now))
		move_on(before, now);
	return atomic_load_explicit(which, memory_order_relaxed);
}

uint64_t ftsan_effort_cpu_ns(void)
{
	return read_clock(&cpu_clock);
}

uint64_t ftsan_effort_run_ns(void)
{
	return read_clock(&run_clock);
}

uint64_t ftsan_effort_full_ns(void)
{
	return read_clock(&full_clock);
}
