/* The subcommands. Each gets its name as argv[0]; returns the exit status. */
#ifndef FTSAN_TOOLS_COMMANDS_H
#define FTSAN_TOOLS_COMMANDS_H

int ftsan_command_run(int argc, char **argv);
int ftsan_command_attach(int argc, char **argv);
int ftsan_command_detach(int argc, char **argv);
int ftsan_command_report(int argc, char **argv);
int ftsan_command_doctor(int argc, char **argv);
int ftsan_command_scan(int argc, char **argv);
int ftsan_command_options(int argc, char **argv);

/* The option table to stdout; 0, or FTSAN_EXIT_FAILED. */
int ftsan_print_options(void);

#endif
