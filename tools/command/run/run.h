/*
 * The room of `ftsan run`: a command with libftsan.so in it, its findings as they occur,
 * and its exit status.
 *
 * May use: every room but those of other commands.
 */
#ifndef FTSAN_TOOLS_RUN_H
#define FTSAN_TOOLS_RUN_H

/* The subcommand; gets its name as argv[0], returns the exit status. */
int ftsan_command_run(int argc, char **argv);

#endif
