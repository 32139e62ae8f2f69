/*
 * The room of `ftsan attach` and `ftsan detach`: what a running process is (target.h),
 * how a request gets into it (deliver.h, inject.h), and the watch over its log.
 *
 * May use: every room but those of other commands.
 */
#ifndef FTSAN_TOOLS_ATTACH_H
#define FTSAN_TOOLS_ATTACH_H

/* The subcommands; each gets its name as argv[0], returns the exit status. */
int ftsan_command_attach(int argc, char **argv);
int ftsan_command_detach(int argc, char **argv);

#endif
