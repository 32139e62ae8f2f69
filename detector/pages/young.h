/*
 * Allocation sites whose buffers never meet a second thread: temporaries of a hot loop,
 * and whatever else one thread keeps to itself. A site that made so many of them in a row
 * (option `young`) gets one in FTSAN_YOUNG_PERIOD guarded, until one of those is used by
 * another thread, or changed while it was sealed: then all of them again. What is left
 * out is counted.
 *
 * Each thread keeps its own counts, so that allocations share no cache line. Sites beyond
 * the room replace others, which begin anew: guarded.
 */
#ifndef FTSAN_YOUNG_H
#define FTSAN_YOUNG_H

#include <stdbool.h>
#include <stdint.h>

enum { FTSAN_YOUNG_SITES = 512, FTSAN_YOUNG_PERIOD = 32 };

/* From here on a count of deaths is one of those left out. */
enum { FTSAN_YOUNG_SKIPS = UINT16_MAX + 1 - FTSAN_YOUNG_PERIOD };

/**
 * struct ftsan_young_site - what a thread knows of an allocation site
 * @tag:          tells it from others
 * @deaths:       in a row, up to the limit; then FTSAN_YOUNG_SKIPS and more: the turns of
 *                those left out
 * @meetings: of the site (of all threads) when they began to be counted
 */
struct ftsan_young_site {
	uint32_t tag;
	uint16_t deaths;
	uint16_t meetings;
};

struct ftsan_young {
	struct ftsan_young_site sites[FTSAN_YOUNG_SITES];
};

/* The entry of a site with that hash, which may be another's. */
static inline struct ftsan_young_site *ftsan_young_at(struct ftsan_young *young,
						      uint64_t hash)
{
	return &young->sites[hash >> 40 & (FTSAN_YOUNG_SITES - 1)];
}

/* As a limit: none is left out. */
#define FTSAN_YOUNG_NEVER UINT32_MAX

/**
 * ftsan_young_skip() - shall this allocation be left out?
 * @young:        the calling thread's
 * @hash:         of the allocation site, all of its bits mixed
 * @meetings: of the site so far
 *
 * Context: normal context of the thread.
 */
static inline bool ftsan_young_skip(struct ftsan_young *young, uint64_t hash,
				    uint16_t meetings)
{
	struct ftsan_young_site *site = ftsan_young_at(young, hash);
	uint16_t deaths = site->deaths;

	if (deaths < FTSAN_YOUNG_SKIPS || site->tag != (uint32_t)hash ||
	    site->meetings != meetings)
		return false;
	site->deaths = deaths == UINT16_MAX ? FTSAN_YOUNG_SKIPS : (uint16_t)(deaths + 1);
	return deaths != UINT16_MAX;
}

/**
 * ftsan_young_death() - a buffer of the site, never published, is freed by the thread
 * that allocated it
 * @limit: buffers in a row: 1 to FTSAN_YOUNG_SKIPS - 1, or FTSAN_YOUNG_NEVER
 *
 * The others, context: the same.
 */
static inline void ftsan_young_death(struct ftsan_young *young, uint64_t hash,
				     uint16_t meetings, uint32_t limit)
{
	struct ftsan_young_site *site = ftsan_young_at(young, hash);

	if (limit == FTSAN_YOUNG_NEVER)
		return;
	if (site->tag != (uint32_t)hash || site->meetings != meetings)
		*site = (struct ftsan_young_site){.tag = (uint32_t)hash,
						  .meetings = meetings};
	if (site->deaths < FTSAN_YOUNG_SKIPS && ++site->deaths >= limit)
		site->deaths = FTSAN_YOUNG_SKIPS;
}

#endif
