#include "sampler/hold_word.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "words/words.h"

void ftsan_hold_choose(struct ftsan_hold *hold, const struct ftsan_access *access,
		       uint32_t turn)
{
	struct ftsan_watchpoint part;

	ftsan_watch_part(&part, access, turn);
	hold->word = part.address;
	hold->length = part.length;
}

void ftsan_hold_look_around(struct ftsan_hold *hold, const struct ftsan_memory *memory)
{
	bool known =
		memory->kind == FTSAN_MEMORY_OBJECT || memory->kind == FTSAN_MEMORY_BLOCK;

	hold->around = known ? memory->begin : 0;
	hold->around_end = known ? memory->begin + memory->size : 0;
}

uint64_t ftsan_hold_distance(const struct ftsan_hold *hold,
			     const struct ftsan_access *access)
{
	struct ftsan_access word = {.address = hold->word, .size = hold->length};

	if (access->address - hold->around >= hold->around_end - hold->around ||
	    ftsan_rule_overlap(&word, access))
		return 0;
	return access->address < hold->word ? hold->word - access->address
					    : access->address - hold->word;
}

bool ftsan_hold_read(const struct ftsan_hold *hold, uint64_t *value)
{
	struct ftsan_watchpoint point = {
		.address = hold->word, .length = hold->length, .reads = true};

	return ftsan_watch_read(&point, value);
}

/* By the kernel: an instruction of ours would hit the watch. */
static bool read_whole(const struct ftsan_hold *hold, unsigned char *whole)
{
	const struct ftsan_access *access = &hold->held.access;

	return access->size <= sizeof(hold->whole) &&
	       ftsan_mem_read(whole, access->address, access->size) == 0;
}

void ftsan_hold_note_whole(struct ftsan_hold *hold)
{
	hold->kept = false;
	hold->whole_known =
		hold->held.access.size > hold->length && read_whole(hold, hold->whole);
}

void ftsan_hold_compare_whole(struct ftsan_hold *hold)
{
	unsigned char now[sizeof(hold->whole)];

	hold->kept = hold->whole_known && hold->other.stored && read_whole(hold, now) &&
		     memcmp(now, hold->whole, hold->held.access.size) == 0;
}

bool ftsan_hold_stored_again(const struct ftsan_hold *hold)
{
	uint64_t now;

	return hold->other.side.writes && ftsan_hold_read(hold, &now) &&
	       now == hold->before;
}

bool ftsan_hold_passes(struct ftsan_hold *hold, bool same)
{
	enum { MOST = 4 };

	return same && !hold->held.side.writes && !hold->other.side.updates &&
	       !hold->other.side.varies && hold->other.side.form == FTSAN_ACCESS_MOVE &&
	       atomic_fetch_add(&hold->passed, 1) < MOST;
}
