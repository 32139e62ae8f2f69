/*
 * The room of `ftsan report`: logs that were written earlier, merged, compared, and
 * written in one of several formats. A format is a file that is handed one finding at a
 * time (report_model.h). Others have the frame of its page (html_page.h).
 *
 * May use: every room but live and those of other commands.
 */
#ifndef FTSAN_TOOLS_REPORT_H
#define FTSAN_TOOLS_REPORT_H

#include "report/html_page.h"

/* The subcommand; gets its name as argv[0], returns the exit status. */
int ftsan_command_report(int argc, char **argv);

#endif
