/*
 * Which functions of the sampled modules ran, and which of them on memory that threads
 * share: what a silence about a module is worth. Private to the room.
 */
#ifndef FTSAN_SAMPLER_RAN_H
#define FTSAN_SAMPLER_RAN_H

#include "sampler/site.h"

enum {
	FTSAN_RAN_SEEN = 1,   /* a thread came to the site */
	FTSAN_RAN_SHARED = 2, /* and used a word that another thread uses */
};

/**
 * struct ftsan_ran_sum - functions of a module
 * @functions: with a site at all: those that can be seen
 * @seen, @shared: of these
 */
struct ftsan_ran_sum {
	uint32_t functions, seen, shared;
};

/**
 * struct ftsan_ran - a byte for each site of a module
 * @n:       sites; a handler may have a site of what was in the module's place before
 * @changed: since @sum was added up (ran_sum.h)
 */
struct ftsan_ran {
	uint32_t n;
	_Atomic bool changed;
	struct ftsan_ran_sum sum;
	_Atomic uint8_t sites[];
};

/*
 * Memory for a module's sites, for good. Context: normal context, before handlers see the
 * module. Return: NULL: there is none, and nothing is counted.
 */
struct ftsan_ran *ftsan_ran_make(uint32_t n_sites);

/* A thread is at the site: @what of the above. Returns whether that is new. Context: any.
 */
bool ftsan_ran_note(struct ftsan_sample_module *module,
		    const struct ftsan_sample_site *site, uint8_t what);

/* All as it was made. Context: normal context, one thread. */
void ftsan_ran_clear(struct ftsan_ran *ran);

#endif
