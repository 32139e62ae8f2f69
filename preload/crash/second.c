#include "crash/second.h"

#include "base/base.h"

/* On a busy machine threads do not come far in that time: then some rounds. */
static const uint64_t LOOK_NS = 100000000;
static const uint64_t LONGEST_NS = 400000000;
static const uint64_t ROUND_NS = 20000000;
static const uint64_t BETWEEN_NS = 150000;
enum { ROUNDS = 60 };

static bool is_enough(uint64_t since, unsigned rounds)
{
	uint64_t spent = ftsan_sys_now_ns() - since;

	return spent > LONGEST_NS || (spent > LOOK_NS && rounds > ROUNDS);
}

void ftsan_look_for_second(struct ftsan_death *death, struct ftsan_asked *best)
{
	uint64_t since = ftsan_sys_now_ns();
	unsigned explained;

	ftsan_crash_look(death);
	explained = ftsan_crash_explained(death);
	for (unsigned i = 0; explained < FTSAN_CRASH_EXPLAINED && !is_enough(since, i);
	     i++) {
		struct ftsan_asked now;
		unsigned more;

		/* Not in step with a loop of theirs. */
		ftsan_sys_sleep(BETWEEN_NS * (1 + i % 5));
		if (!ftsan_ask_again(best, &now, ROUND_NS))
			break;
		death->witness = now.witness;
		more = ftsan_crash_explained(death);
		if (more > explained) {
			explained = more;
			*best = now;
		}
	}
	death->witness = best->witness;
}
