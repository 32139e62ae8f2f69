/* What `ftsan run` hands to the command: the library, the options, who the root is. */
#ifndef FTSAN_TOOLS_ENVIRONMENT_H
#define FTSAN_TOOLS_ENVIRONMENT_H

#include <stdbool.h>

#include "base/base.h"

/* struct ftsan_environment - values of variables; owned */
struct ftsan_environment {
	char *library; /* where it is; LD_PRELOAD may have a link to it */
	char *preload; /* LD_PRELOAD */
	char *options; /* FTSAN_OPTIONS */
	char *run_id;  /* FTSAN_RUN_ID */
};

/**
 * ftsan_options_gather() - the options that hold for a run
 * @options: gets the defaults, then FTSAN_OPTIONS, then @user
 * @user:    of --options, or NULL
 *
 * Inside another `ftsan run` the inherited log and exit code are the outer one's, and
 * are not taken over: both would write the same file.
 *
 * Return: 0; -EINVAL when entries are bad (they were printed).
 */
int ftsan_options_gather(struct ftsan_options *options, const char *user);

/* The option table to stdout. Return: 0, or FTSAN_EXIT_FAILED. */
int ftsan_print_options(void);

/**
 * ftsan_library_path() - the libftsan.so that goes with this command
 *
 * That of FTSAN_LIBRARY, else the one beside the command or in its installation.
 * Return: malloc'ed; NULL when there is none, and the reason was printed.
 */
char *ftsan_library_path(void);

/**
 * ftsan_environment_make() - compose the variables
 * @user:     of --options, or NULL
 * @log:      absolute name of the log file
 * @keep_gil: of --keep-gil
 * @suppressions: of the options; commands of CMD's own may run in other directories
 *
 * Return: 0; -ENOENT without a library that LD_PRELOAD can name, -EINVAL when the log's
 *         name can't be passed on. Errors were printed.
 */
int ftsan_environment_make(struct ftsan_environment *environment, const char *user,
			   const char *log, bool keep_gil, const char *suppressions);

/**
 * ftsan_environment_fit() - leave the library out where it would keep the command from
 * starting
 *
 * Return: why it was left out (ftsan_loadable()), malloc'ed; NULL: it was not.
 */
char *ftsan_environment_fit(struct ftsan_environment *environment, const char *command);

void ftsan_environment_release(struct ftsan_environment *environment);

/* Sets them, and FTSAN_ROOT_PID to this process: for the child, before exec. */
int ftsan_environment_apply(const struct ftsan_environment *environment);

#endif
