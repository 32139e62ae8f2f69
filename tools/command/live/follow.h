/* All log files of a run, read while they are being written. */
#ifndef FTSAN_TOOLS_FOLLOW_H
#define FTSAN_TOOLS_FOLLOW_H

#include <stddef.h>

#include "log/log.h"
#include "results/results.h"

/* struct ftsan_followed - one file; @name is its name in the directory, owned */
struct ftsan_followed {
	char *name;
	struct ftsan_tail tail;
	struct ftsan_source source;
	struct ftsan_session *session;
	int error; /* of the last read */
};

/* struct ftsan_follow - @file and @session are borrowed */
struct ftsan_follow {
	const struct ftsan_log_file *file;
	struct ftsan_session *session;
	struct ftsan_followed *files;
	size_t n_files, capacity;
	int error; /* of looking through the directory, the last time */
};

void ftsan_follow_init(struct ftsan_follow *follow, const struct ftsan_log_file *file,
		       struct ftsan_session *session);
void ftsan_follow_release(struct ftsan_follow *follow);

/* Hands every line that was completed since to the session. */
void ftsan_follow_poll(struct ftsan_follow *follow);

/**
 * ftsan_follow_finish() - what is left at the end
 * @torn_files: gets the number of files of this run that end in the middle of a line
 *
 * Return: 0; -errno if a log could not be read, and the reason was printed.
 */
int ftsan_follow_finish(struct ftsan_follow *follow, unsigned *torn_files);

#endif
