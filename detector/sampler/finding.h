/* From a held access that somebody came to, to a finding. Private to the room. */
#ifndef FTSAN_SAMPLER_FINDING_H
#define FTSAN_SAMPLER_FINDING_H

#include <stdbool.h>

#include "memory/memory.h"
#include "sampler/hold.h"

/* Context: start-up. @low_grade: findings that may be atomics are reported, too. */
void ftsan_sample_finding_init(bool low_grade);

struct ftsan_object;
typedef bool (*ftsan_sample_namer)(const char *type, uintptr_t object, uint64_t offset,
				   struct ftsan_object *out);
/* See ftsan_sampler_names(). */
void ftsan_sample_finding_names(ftsan_sample_namer name_field);

/**
 * ftsan_sample_finding() - judge it, and write it to the log
 * @memory:   of the word
 * @key:      of the word: it is settled when it was reported
 * @ucontext: the held thread's registers
 *
 * Context: SIGTRAP handler of the held thread, while the other one waits.
 */
void ftsan_sample_finding(struct ftsan_hold *hold, const struct ftsan_memory *memory,
			  uint64_t key, const void *ucontext);

/**
 * ftsan_sample_changed() - nobody came; has the word changed all the same?
 *
 * By code that is not sampled, where no watchpoint sees it. What one of the two accesses
 * proves by itself is a finding that is probable.
 *
 * Context: as above; nobody can come any more.
 */
void ftsan_sample_changed(struct ftsan_hold *hold, const struct ftsan_memory *memory,
			  uint64_t key, const void *ucontext);

#endif
