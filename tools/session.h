/*
 * What the logs of one run add up to: the processes, the distinct findings, and what
 * could not be read. Records come in one by one, in any order of the files.
 */
#ifndef FTSAN_TOOLS_SESSION_H
#define FTSAN_TOOLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log_reader.h"

/**
 * struct ftsan_process - one `process` record and what followed it in its file
 * @engines:  records, in the order of the log
 * @coverage: the last one; type NONE when there is none
 * @end:      type NONE while the process has not ended its log
 * @findings: records read
 *
 * An exec makes another one with the same pid.
 */
struct ftsan_process {
	struct ftsan_record record;
	struct ftsan_record *engines;
	size_t n_engines, engines_capacity;
	struct ftsan_record coverage;
	struct ftsan_record end;
	size_t findings;
};

/**
 * struct ftsan_found - one fingerprint
 * @kind, @confidence, @fingerprint: owned; the confidence is the best that was seen
 * @processes:                       records, one a process
 * @repeats:                         further occurrences in the processes that said so
 */
struct ftsan_found {
	char *kind;
	char *confidence;
	char *fingerprint;
	uint64_t processes;
	uint64_t repeats;
};

/* struct ftsan_module_entry - where a module was, and which build; strings are owned */
struct ftsan_module_entry {
	char *path;
	char *build_id;
};

/**
 * struct ftsan_source - the state of one log file
 * @process: index of the process whose records are coming, -1 when none
 * @accept:  the records belong to the run that is looked at
 */
struct ftsan_source {
	long process;
	bool accept;
};

struct ftsan_session;

/* Called for each finding to print; its frames may be improved upon. */
typedef void (*ftsan_session_finding)(void *argument, const struct ftsan_session *session,
				      struct ftsan_finding_record *finding);

/**
 * struct ftsan_session - the run
 * @run:        borrowed; records of other runs are left out. NULL: take everything
 * @on_finding: called for the first and for each better proof of a fingerprint
 * @bad_lines:  lines that are no records
 */
struct ftsan_session {
	const char *run;
	ftsan_session_finding on_finding;
	void *argument;
	struct ftsan_process *processes;
	size_t n_processes, processes_capacity;
	struct ftsan_found *found;
	size_t n_found, found_capacity;
	struct ftsan_module_entry *modules;
	size_t n_modules, modules_capacity;
	uint64_t bad_lines;
};

/* @session all-zero but for @run, @on_finding and @argument is an empty one. */
void ftsan_session_release(struct ftsan_session *session);

/**
 * ftsan_source_init() - before the first line of a file
 * @trusted: what comes before the first `process` record is ours as well
 */
void ftsan_source_init(struct ftsan_source *source, bool trusted);

/* One line of @source; @text NULL for one that can't be had. */
void ftsan_session_line(struct ftsan_session *session, struct ftsan_source *source,
			const char *text, size_t length);

/* The build id that the log gives for a module, NULL when it gives none. */
const char *ftsan_session_build_id(const struct ftsan_session *session, const char *path);

/* Order of proof: larger is stronger. */
int ftsan_confidence_rank(const char *confidence);

#endif
