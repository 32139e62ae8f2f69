/*
 * The room of `ftsan doctor`: what works on this machine, and what to do about the rest.
 *
 * May use: common, launch, log, scan.
 */
#ifndef FTSAN_TOOLS_DOCTOR_H
#define FTSAN_TOOLS_DOCTOR_H

/* The subcommand; gets its name as argv[0], returns the exit status. */
int ftsan_command_doctor(int argc, char **argv);

#endif
