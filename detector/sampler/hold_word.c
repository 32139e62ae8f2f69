#include "sampler/hold_word.h"

#include <stdatomic.h>

#include "words/words.h"

void ftsan_hold_choose(struct ftsan_hold *hold, const struct ftsan_access *access,
		       uint32_t turn)
{
	uintptr_t begin = access->address, end = begin + access->size, first, words;

	if (access->size <= 8 && (access->size & (access->size - 1)) == 0 &&
	    begin % access->size == 0) {
		hold->word = begin;
		hold->length = (uint8_t)access->size;
		return;
	}
	first = (begin + 7) & ~(uintptr_t)7;
	words = end > first ? (end - first) / 8 : 0;
	hold->word = words == 0 ? begin : first + 8 * (turn % words);
	hold->length = words == 0 ? 1 : 8;
}

bool ftsan_hold_read(const struct ftsan_hold *hold, uint64_t *value)
{
	struct ftsan_watchpoint point = {
		.address = hold->word, .length = hold->length, .reads = true};

	return ftsan_watch_read(&point, value);
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
	       hold->other.side.form == FTSAN_ACCESS_MOVE &&
	       atomic_fetch_add(&hold->passed, 1) < MOST;
}
