/*
 * The findings of this process so far, by group (group.h).
 *
 * Context: the holder of the report's lock, but for ftsan_seen_count().
 */
#ifndef FTSAN_SEEN_H
#define FTSAN_SEEN_H

#include <stdbool.h>
#include <stdint.h>

enum {
	FTSAN_SEEN_MAX = 4096,
	/* Records of one finding: more sorts of evidence are counted only. */
	FTSAN_EVIDENCE_MAX = 8,
};

/**
 * struct ftsan_seen - a finding
 * @fingerprint: of its group
 * @also:        of the group that is the same bug as well; 0: none
 * @count:       how often it occurred
 * @logged:      records that the log has of it
 * @kind, @time_ns: of the first, the time monotonic
 * @evidence:    what these showed
 */
struct ftsan_seen {
	uint64_t fingerprint, also;
	uint32_t count, logged;
	uint32_t kind;
	uint64_t time_ns;
	uint64_t evidence[FTSAN_EVIDENCE_MAX];
};

/* Maps the table at first; empties it. Return: 0 or -ENOMEM. */
int ftsan_seen_init(void);
void ftsan_seen_clear(void);

/**
 * ftsan_seen_find() - the entry of a finding, a new one if there is room
 * @fingerprint, @also: of ftsan_groups(); @also is 0 where there is none
 *
 * An entry of the same group; else one whose other group this is, or the other way
 * round. Two findings that only share their other group are two bugs.
 *
 * Return: NULL when the table is full.
 */
struct ftsan_seen *ftsan_seen_find(uint64_t fingerprint, uint64_t also);

/* One more occurrence; true when its evidence is new and deserves a record. */
bool ftsan_seen_add(struct ftsan_seen *seen, uint64_t evidence);

/* Distinct findings. Any thread. */
uint32_t ftsan_seen_count(void);

/* The finding that is @before places before the newest one; NULL: there is none. */
const struct ftsan_seen *ftsan_seen_latest(uint32_t before);

/* Records of them in the log. */
uint32_t ftsan_seen_logged(void);

/* Those that occurred more often than the log has records of. Normal context. */
void ftsan_seen_duplicates(void (*visit)(uint64_t fingerprint, uint32_t more, void *to),
			   void *to);

#endif
