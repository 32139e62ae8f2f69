/*
 * Which calls of a call site are watched: the first ones always, later ones ever more
 * rarely, so that hot loops cost little and rare paths are always seen.
 */
#ifndef FTSAN_SAMPLING_H
#define FTSAN_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

/**
 * ftsan_sampling_take() - is this call of the site one of those to be watched?
 * @site:   what tells the site from others; hashed here
 * @kind:   what is called there, not 0, or FTSAN_SAMPLING_ALIKE: of a kind that has been
 *          watched often, fewer calls are (ftsan_rule_sample_known())
 * @always: calls that are always watched (see ftsan_rule_sample())
 *
 * The table is lock-free, of fixed size and shared by all threads; a count may lose
 * some calls to another thread. A site that finds no room is watched at the lowest rate,
 * and counted (left_out_sites).
 *
 * Context: any thread, async-signal-safe.
 */
bool ftsan_sampling_take(uint64_t site, uint64_t kind, uint32_t always);
enum { FTSAN_SAMPLING_ALIKE = 0 }; /* each site is looked at for itself */

/* A call of the kind did harm: the kind is as good as new. Context: the same. */
void ftsan_sampling_harm(uint64_t kind);

/* Forgets every site. */
void ftsan_sampling_reset(void);

#endif
