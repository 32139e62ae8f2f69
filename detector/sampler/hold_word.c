#include "sampler/hold_word.h"

#include <stdatomic.h>

#include "words/words.h"

void ftsan_hold_choose(struct ftsan_hold *hold, const struct ftsan_access *access,
		       uint32_t turn)
{
	struct ftsan_watchpoint part;

	ftsan_watch_part(&part, access, turn);
	hold->word = part.address;
	hold->length = part.length;
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
