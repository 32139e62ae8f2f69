/* Where a run's logs go, and what becomes of them. */
#ifndef FTSAN_TOOLS_LOG_FILE_H
#define FTSAN_TOOLS_LOG_FILE_H

#include <stdbool.h>

/**
 * struct ftsan_log_file - the log of a run
 * @path:      absolute, owned; %p in its last component stands for a pid
 * @directory: the part of @path before the last slash, owned
 * @temporary: nobody asked for it: it goes unless there are findings
 * @stored:    nobody asked for it: it stays in the user's store (log_store.h) for a while
 */
struct ftsan_log_file {
	char *path;
	char *directory;
	bool temporary, stored;
};

/**
 * ftsan_log_file_open() - get a place for the log ready
 * @requested: NULL or empty for a new directory in TMPDIR; a name without %p is
 *             created (mode 0600) or emptied, and must not be a symbolic link
 *
 * Return: 0; -errno, and the reason was printed.
 */
int ftsan_log_file_open(struct ftsan_log_file *file, const char *requested);

/* The same for a run: without @requested in the store, where that can be had. */
int ftsan_log_file_open_stored(struct ftsan_log_file *file, const char *requested);

/* Removes a temporary log unless @keep. */
void ftsan_log_file_close(struct ftsan_log_file *file, bool keep);

/**
 * ftsan_log_file_matches() - is it a log of this run's processes?
 * @name: of a file in the directory: the log itself, the log and ".PID", or with PIDs
 *        for every %p
 */
bool ftsan_log_file_matches(const struct ftsan_log_file *file, const char *name);

#endif
