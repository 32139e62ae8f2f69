/* A thread's part of the sampler (threads/thread.h). Zeroed: nothing. Private. */
#ifndef FTSAN_SAMPLER_OWN_H
#define FTSAN_SAMPLER_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include "threads/threads.h"

struct ftsan_hold;
struct ftsan_sample_module;
struct ftsan_sample_site;

/**
 * struct ftsan_follow - a loop of the thread's, followed towards a held word
 * @module, @stepped: the site that is stepped over just now; NULL: none is
 * @mask:   what the thread has blocked, meanwhile
 * @site, @hold, @generation, @bytes: the last step: at which site, towards which word
 *          (struct ftsan_hold_near), and from how far
 */
struct ftsan_follow {
	struct ftsan_sample_module *module;
	struct ftsan_sample_site *stepped;
	uint64_t mask;
	const struct ftsan_sample_site *site;
	const struct ftsan_hold *hold;
	uint64_t bytes;
	uint32_t generation;
};

/**
 * struct ftsan_sampler_own
 * @stack_begin, @stack_end: its stack, as far as known; written when it begins, read by
 *            others
 * @counted:  it counts as a thread of the program's (ftsan_sampler_thread_begin())
 * @stale_pc, @stale: traps in a row at a site that somebody else was busy with
 * @follow: struct ftsan_follow
 */
struct ftsan_sampler_own {
	_Atomic uintptr_t stack_begin, stack_end;
	bool counted;
	uintptr_t stale_pc;
	uint32_t stale;
	struct ftsan_follow follow;
};
_Static_assert(sizeof(struct ftsan_sampler_own) <=
		       sizeof(((struct ftsan_thread *)0)->part_sampler),
	       "it fits");

static inline struct ftsan_sampler_own *
ftsan_sampler_of(const struct ftsan_thread *thread)
{
	return FTSAN_THREAD_PART(thread, sampler);
}

#endif
