/*
 * Short-lived sites: allocation sites whose buffers never meet a second thread, such as
 * temporaries of a hot loop, and whatever else one thread keeps to itself. A site that
 * made so many of them in a row (option `short_lived`) gets one in
 * FTSAN_SHORT_LIVED_PERIOD guarded, until one of those is used by another thread, or
 * changed while it was sealed: then all of them again. What is left out is counted.
 *
 * Each thread keeps its own counts, so that allocations share no cache line. Sites beyond
 * the room replace others, which begin anew: guarded.
 */
#ifndef FTSAN_SHORT_LIVED_H
#define FTSAN_SHORT_LIVED_H

#include <stdbool.h>
#include <stdint.h>

enum { FTSAN_SHORT_LIVED_SITES = 512, FTSAN_SHORT_LIVED_PERIOD = 32 };

/* From here on a count of deaths is one of those left out. */
enum { FTSAN_SHORT_LIVED_SKIPS = UINT16_MAX + 1 - FTSAN_SHORT_LIVED_PERIOD };

/**
 * struct ftsan_short_lived_site - what a thread knows of an allocation site
 * @tag:      tells it from others
 * @deaths:   in a row, up to the limit; then FTSAN_SHORT_LIVED_SKIPS and more: the
 *            turns of those left out
 * @meetings: of the site (of all threads) when they began to be counted
 */
struct ftsan_short_lived_site {
	uint32_t tag;
	uint16_t deaths;
	uint16_t meetings;
};

/* struct ftsan_short_lived - what it knows of all of them */
struct ftsan_short_lived {
	struct ftsan_short_lived_site sites[FTSAN_SHORT_LIVED_SITES];
};

/* The entry of a site with that hash, which may be another's. */
static inline struct ftsan_short_lived_site *
ftsan_short_lived_at(struct ftsan_short_lived *known, uint64_t hash)
{
	return &known->sites[hash >> 40 & (FTSAN_SHORT_LIVED_SITES - 1)];
}

/* As a limit: none is left out. */
#define FTSAN_SHORT_LIVED_NEVER UINT32_MAX

/**
 * ftsan_short_lived_skip() - shall this allocation be left out?
 * @known:    the calling thread's
 * @hash:     of the allocation site, all of its bits mixed
 * @meetings: of the site so far
 *
 * Context: normal context of the thread.
 */
static inline bool ftsan_short_lived_skip(struct ftsan_short_lived *known, uint64_t hash,
					  uint16_t meetings)
{
	struct ftsan_short_lived_site *site = ftsan_short_lived_at(known, hash);
	uint16_t deaths = site->deaths;

	if (deaths < FTSAN_SHORT_LIVED_SKIPS || site->tag != (uint32_t)hash ||
	    site->meetings != meetings)
		return false;
	site->deaths =
		deaths == UINT16_MAX ? FTSAN_SHORT_LIVED_SKIPS : (uint16_t)(deaths + 1);
	return deaths != UINT16_MAX;
}

/**
 * ftsan_short_lived_death() - a buffer of the site, never published, is freed by the
 * thread that allocated it
 * @limit: buffers in a row: 1 to FTSAN_SHORT_LIVED_SKIPS - 1, or FTSAN_SHORT_LIVED_NEVER
 *
 * The others, context: the same.
 */
static inline void ftsan_short_lived_death(struct ftsan_short_lived *known, uint64_t hash,
					   uint16_t meetings, uint32_t limit)
{
	struct ftsan_short_lived_site *site = ftsan_short_lived_at(known, hash);

	if (limit == FTSAN_SHORT_LIVED_NEVER)
		return;
	if (site->tag != (uint32_t)hash || site->meetings != meetings)
		*site = (struct ftsan_short_lived_site){.tag = (uint32_t)hash,
							.meetings = meetings};
	if (site->deaths < FTSAN_SHORT_LIVED_SKIPS && ++site->deaths >= limit)
		site->deaths = FTSAN_SHORT_LIVED_SKIPS;
}

#endif
