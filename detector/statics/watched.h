/*
 * The room's own: a window on a page that stays readable, because the kernel looks at
 * locks there. The processor watches the word that is held up, and tells which thread
 * loads from it (load.c). Stores trap at the page, as elsewhere.
 */
#ifndef FTSAN_STATICS_WATCHED_H
#define FTSAN_STATICS_WATCHED_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"

struct static_page;
struct static_store;

/* For the window's owner. The first does nothing for a page that can be closed. */
void static_watch_begin(const struct static_store *store);
void static_watch_end(void);
void static_watch_fork_child(void);

/* struct static_watched - @word: as an access to it would be */
struct static_watched {
	struct static_page *page;
	struct ftsan_access word;
};

/* Is the signal one of these? @generation: of which watch; 0: it came too late to say
 * where the access was. Async-signal-safe; so is the other. */
bool static_watch_is_hit(const siginfo_t *info, uint32_t *generation);
/* What that one watches. False: nothing any more, or there were hits enough, and it
 * rests. */
bool static_watch_tell(uint32_t generation, struct static_watched *out);

#endif
