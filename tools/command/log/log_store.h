/*
 * Logs that nobody named: a directory a run in the user's state directory, the last few
 * of them.
 */
#ifndef FTSAN_TOOLS_LOG_STORE_H
#define FTSAN_TOOLS_LOG_STORE_H

/* Runs that are kept, and how long; a run of the last hour is always kept. */
enum { FTSAN_STORE_RUNS = 20, FTSAN_STORE_DAYS = 30 };

/* Another directory than the user's: of the project; NULL: none. Borrowed. */
void ftsan_store_use(const char *directory);

/**
 * ftsan_store_new() - a directory for a run's log
 *
 * In $XDG_STATE_HOME/ftsan, else ~/.local/state/ftsan; for the user only. Removes what
 * is too old there, and touches nothing that it has not made.
 *
 * Return: absolute, malloc'ed; NULL when there is no such place (no home, read-only).
 */
char *ftsan_store_new(void);

/* The logs of the last run there, one a process: a list that ends with NULL, all of it
 * malloc'ed; NULL: there is none. */
char **ftsan_store_last(void);

#endif
