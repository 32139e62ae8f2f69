/* What one process watched, for the verdict: collected from its coverage record. */
#ifndef FTSAN_TOOLS_SESSION_SIGHT_H
#define FTSAN_TOOLS_SESSION_SIGHT_H

#include "results/session_state.h"

/**
 * struct ftsan_sight_facts - members of the record; zeroed: none yet
 * @watched, @extensions: as they stand there; owned
 * @threads (operating ones), @buffers_seen, @published, @held, @headers: of the same
 * names
 * @has_threads: the record says how many
 */
struct ftsan_sight_facts {
	json_t *watched, *extensions;
	uint64_t threads, buffers_seen, published, held, headers;
	bool has_threads;
};

/* One member; those that say nothing about it are ignored. */
void ftsan_sight_member(struct ftsan_sight_facts *facts, const char *name, json_t *value);

/* The record is complete, or there is none: counts the process that @source is reading.
 * Releases what @facts owns. */
void ftsan_sight_close(struct ftsan_session *session, const struct ftsan_source *source,
		       struct ftsan_sight_facts *facts);

#endif
