/*
 * The room of `ftsan scan`: the extension modules of an environment, from their files
 * alone, and what is publicly known of their versions (hazards.h, for doctor as well).
 *
 * May use: common, launch.
 */
#ifndef FTSAN_TOOLS_SCAN_H
#define FTSAN_TOOLS_SCAN_H

#include "common/common.h"

/* The subcommand; gets its name as argv[0], returns the exit status. */
int ftsan_command_scan(int argc, char **argv);

#endif
