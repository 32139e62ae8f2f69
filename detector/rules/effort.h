/* When something is looked for, and for how long: what that may cost. Pure. */
#ifndef FTSAN_EFFORT_H
#define FTSAN_EFFORT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct ftsan_window_question - what decides whether a trapped store may be held up
 * @threads:       threads alive
 * @site_proven:   a race was proven at this instruction already
 * @site_windows, @object_windows: windows opened so far without a find
 * @site_limit, @object_limit:     most of them
 * @spent_ns:      time that all windows have taken so far
 * @elapsed_ns:    run time so far
 * @budget_percent: most of the run time that windows may take
 * @length_ns:     length of a window
 * @deviates:      the memory does not hold the value it was published with: an earlier
 *                 store of the operation is still in force, and holding the next one up
 *                 would lengthen the state that makes the program fail
 */
struct ftsan_window_question {
	uint32_t threads;
	bool site_proven;
	uint32_t site_windows, site_limit;
	uint32_t object_windows, object_limit;
	uint64_t spent_ns, elapsed_ns;
	uint32_t budget_percent;
	uint64_t length_ns;
	bool deviates;
};

/*
 * How long a window is, in ns: what the option says for the first half of an object's
 * windows, four times that for the others: on a busy machine the second thread needs a
 * processor first.
 */
uint64_t ftsan_rule_window_length(uint64_t option_ns, uint32_t object_windows,
				  uint32_t object_limit);

bool ftsan_rule_open_window(const struct ftsan_window_question *question);

/*
 * Can no window open at this site, or on this object, ever again? Then trapping the
 * store shows nothing: the buffer is unsealed for a scout period or two, which brings
 * a hot loop back to its own speed, and a proven race back to its own probability.
 */
bool ftsan_rule_exhausted(const struct ftsan_window_question *question);

/**
 * struct ftsan_publish_question - what decides whether a buffer may be sealed
 * @bound:       an object's header was seen to point at the buffer
 * @age_ticks:   completed scout ticks since the allocation
 * @foreign:     a thread that does not own it has entered an operation on it
 * @cooling:     it was unsealed not long ago (ftsan_rule_exhausted())
 * @fragments, @fragment_limit: sealed pages, and most of them
 * @site_published: published buffers of the same allocation site
 * @over_budget: publishing has had its share of the processor's time
 */
struct ftsan_publish_question {
	bool bound;
	uint32_t age_ticks;
	bool foreign;
	bool cooling;
	uint32_t fragments, fragment_limit;
	uint32_t site_published;
	bool over_budget;
};

enum ftsan_publish_answer {
	FTSAN_PUBLISH_NOW,
	FTSAN_PUBLISH_LATER,	  /* not old enough */
	FTSAN_PUBLISH_UNBOUND,	  /* nobody's header points at it (yet) */
	FTSAN_PUBLISH_OVER_LIMIT, /* left out: the bound on sealed pages */
	FTSAN_PUBLISH_PUT_OFF,	  /* until the budget has room again */
};

/* Sites with fewer live buffers than this may use the quarter of a bound that is kept
 * for them. */
enum { FTSAN_RARE_SITE = 8 };

/* The last quarter of a bound belongs to rare sites. Inline, as every allocation asks. */
static inline bool ftsan_rule_within(uint32_t used, uint32_t limit, uint32_t site_count)
{
	if (used >= limit)
		return false;
	return used < limit - limit / 4 || site_count < FTSAN_RARE_SITE;
}

enum ftsan_publish_answer
ftsan_rule_publish(const struct ftsan_publish_question *question);

/*
 * May another buffer of an allocation site that has @site_live of them be guarded, with
 * @used of @limit slots taken? The last quarter is kept for sites with few live
 * buffers, so that long-lived arrays of one site can't crowd out everything new.
 */
static inline bool ftsan_rule_admit(uint32_t used, uint32_t limit, uint32_t site_live)
{
	return ftsan_rule_within(used, limit, site_live);
}

/*
 * Has something that took @spent_ns so far had its share of the @cpu_ns that the process
 * has run, on all processors? Its share is @percent, and @burst_ns before that counts, so
 * that short runs get all of it.
 */
bool ftsan_rule_spent(uint64_t spent_ns, uint64_t cpu_ns, uint64_t burst_ns,
		      uint32_t percent);

/**
 * struct ftsan_effort_step - what a program did in some time
 * @passed_ns: by the wall clock
 * @ran_ns:    of the processor's time, all threads
 * @new_ns:    of that, in a program that did something new; <= @ran_ns
 * @steady_percent: what the rest counts
 */
struct ftsan_effort_step {
	uint64_t passed_ns, ran_ns, new_ns;
	uint32_t steady_percent;
};

/**
 * struct ftsan_effort_gain - what budgets go by
 * @cpu_ns: of what ran
 * @run_ns: of the time that passed: as much of it as the program ran for, on one
 *          processor, and never less than a sixteenth
 * @full_ns: the same, whether it was new or not
 */
struct ftsan_effort_gain {
	uint64_t cpu_ns, run_ns, full_ns;
};

struct ftsan_effort_gain ftsan_rule_effort(const struct ftsan_effort_step *step);

/* A call site that has been seen often enough is watched once in so many calls. */
enum { FTSAN_SAMPLE_RAREST = 256 };

/*
 * Is the call of a site that had @calls before to be watched? The first @always are;
 * then one of two, of four, ... each for as many watched calls again, down to one of
 * FTSAN_SAMPLE_RAREST. @always 0: every call.
 */
bool ftsan_rule_sample(uint32_t calls, uint32_t always);

/* Watched calls of an operation, at whatever call site, after which it is known to do
 * nothing wrong on its usual way. */
enum { FTSAN_HARMLESS = 1000 };

/*
 * A call that ftsan_rule_sample() has chosen: is it to be watched although @harmless
 * watched calls of the same operation, here or at other sites, had no hazard since the
 * last one that had? From FTSAN_HARMLESS on, a site counts as seen often enough after a
 * quarter of its calls.
 */
bool ftsan_rule_sample_known(uint32_t calls, uint32_t always, uint32_t harmless);

/*
 * May words go on being watched, after @hits in @elapsed_ns of run time? A hit costs a
 * signal, whatever it turns out to mean.
 */
bool ftsan_rule_watch(uint64_t hits, uint64_t elapsed_ns);

/*
 * Mode race: after watchpoints were aimed for @armed operations in @elapsed_ns, with
 * @hits, may they be for one more? Each costs calls of the kernel and an interrupt of the
 * processors on which the program runs, so those that see nothing have a share of the run
 * time; a hit pays for many. @first: it is one of the first on an array that another
 * thread has just been seen with; there are races to be found above all, so it may go on
 * longer.
 */
bool ftsan_rule_aim(uint64_t armed, uint64_t hits, uint64_t elapsed_ns, bool first);

#endif
