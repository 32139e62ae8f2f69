/* The sites that threads came to, as functions of modules. Private to the room. */
#ifndef FTSAN_SAMPLER_RAN_SUM_H
#define FTSAN_SAMPLER_RAN_SUM_H

#include "sampler/ran.h"

/*
 * Context: normal context or the scout's, one thread at a time; a few milliseconds for
 * the largest modules, where something has changed.
 */
void ftsan_ran_sum(const struct ftsan_sample_module *module, struct ftsan_ran_sum *sum);

/* The child of a fork counts anew. Context: normal context, one thread. */
void ftsan_ran_forget(void);

#endif
