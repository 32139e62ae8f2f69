/*
 * The room of `ftsan audit`: every static that a command's extension modules write after
 * their import, who writes it and under which lock, and what is new since the last time.
 *
 * inventory.c adds up the records of the logs, order.c sorts, compare.c reads an earlier
 * audit; audit_text.c, audit_json.c and audit_html.c write it down; audit.c and request.c
 * are the subcommand.
 *
 * May use: common, launch, log, symbols, suppressions, results, live, report.
 */
#ifndef FTSAN_TOOLS_AUDIT_H
#define FTSAN_TOOLS_AUDIT_H

/* The subcommand; gets its name as argv[0], returns the exit status. */
int ftsan_command_audit(int argc, char **argv);

#endif
