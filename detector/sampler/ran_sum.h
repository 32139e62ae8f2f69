/* The sites that threads came to, as functions of modules. Private to the room. */
#ifndef FTSAN_SAMPLER_RAN_SUM_H
#define FTSAN_SAMPLER_RAN_SUM_H

#include "sampler/site.h"

/**
 * struct ftsan_ran_sum - functions of a module
 * @functions: with a site at all: those that can be seen
 * @seen, @shared: of these
 */
struct ftsan_ran_sum {
	uint32_t functions, seen, shared;
};

/* Context: normal context or the scout's; a few milliseconds for the largest modules. */
void ftsan_ran_sum(const struct ftsan_sample_module *module, struct ftsan_ran_sum *sum);

/* The child of a fork counts anew. Context: normal context, one thread. */
void ftsan_ran_forget(void);

#endif
