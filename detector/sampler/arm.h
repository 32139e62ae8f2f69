/*
 * Arming sites. Private to the room.
 *
 * A site that is hit is unarmed from then on, and comes back in its turn: the executed
 * sites wait in a queue from which so many a second are armed again. So hits are bounded
 * by how many are armed, and a site that is never executed costs nothing.
 */
#ifndef FTSAN_SAMPLER_ARM_H
#define FTSAN_SAMPLER_ARM_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/site.h"

/* False: somebody else is at it, it is armed already, or none of the module's, or that is
 * gone. Async-signal-safe. */
bool ftsan_arm_site(const struct ftsan_sample_module *module,
		    struct ftsan_sample_site *site);

/* All of a module's. Context: normal context. */
void ftsan_arm_module(struct ftsan_sample_module *module);
void ftsan_disarm_module(struct ftsan_sample_module *module);

enum ftsan_trap_claim {
	FTSAN_TRAP_OURS,  /* the byte is back, and the hit is the caller's */
	FTSAN_TRAP_STALE, /* somebody else is putting it back, or has: run it again */
};

/* A thread has trapped at the site. Async-signal-safe. */
enum ftsan_trap_claim ftsan_arm_claim(const struct ftsan_sample_module *module,
				      struct ftsan_sample_site *site);

/* Puts the site's byte back whatever its state: nobody has, for too long. */
void ftsan_arm_force(const struct ftsan_sample_module *module,
		     struct ftsan_sample_site *site);

/*
 * The site was hit: it is armed again when its turn comes. @soon: it is one of those that
 * may show something; three quarters of the turns are theirs. Async-signal-safe.
 */
void ftsan_arm_later(struct ftsan_sample_module *module, struct ftsan_sample_site *site,
		     bool soon);

/**
 * struct ftsan_turns - how many sites may be armed again
 * @all:   of those that wait
 * @known: of these, of those that are not likely to show anything
 */
struct ftsan_turns {
	uint32_t all, known;
};

/* Context: the scout. */
void ftsan_arm_turns(struct ftsan_turns turns);

/* Nobody is armed from now on, or may be again; false: takes it back. */
void ftsan_arm_halt(bool halt);

/*
 * Between the two no byte of text is armed: a module may be unloaded. What is armed stays
 * so. Context: normal context.
 */
void ftsan_arm_unload_begin(void);
void ftsan_arm_unload_end(void);

/* Around fork: nobody but the forking thread is in the middle of a change then. */
void ftsan_arm_fork_prepare(void);
void ftsan_arm_fork_done(void);
void ftsan_arm_fork_child(void);

#endif
