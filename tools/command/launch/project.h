/* [tool.ftsan] of the pyproject.toml that the working directory belongs to. */
#ifndef FTSAN_TOOLS_PROJECT_H
#define FTSAN_TOOLS_PROJECT_H

/**
 * ftsan_project_apply() - make the project's settings those of this process
 *
 * Looks for pyproject.toml here and in the directories above, and takes the first. Its
 * settings go before what FTSAN_OPTIONS says already, so the environment and --options
 * win. FTSAN_FAIL_ON is set for the pytest plugin and live/live.c. Nothing is done inside
 * another run, which has done it.
 *
 *     [tool.ftsan]
 *     mode = "all"
 *     engines = ["guard", "watch", "statics"]    # all others are off
 *     suppressions = "ftsan.supp"                # relative to pyproject.toml
 *     log-directory = ".ftsan"                   # instead of the user's state directory
 *     fail-on = "confirmed"                      # or "any" (default), "never"
 *     grade = "high"
 *     options = "window_us=500"                  # as in FTSAN_OPTIONS
 *
 * Of TOML only what these need is read: strings in one line, lists of them. Whatever else
 * is in the table is told with file and line.
 *
 * Context: before other threads, and before FTSAN_OPTIONS is read.
 * Return:  0; -EINVAL, and all that is wrong was printed.
 */
int ftsan_project_apply(void);

/* The directory for logs that nobody named, of the project; NULL: the user's. */
const char *ftsan_project_logs(void);

#endif
