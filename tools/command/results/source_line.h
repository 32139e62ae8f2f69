/* A line of a source file, for a report. */
#ifndef FTSAN_TOOLS_SOURCE_LINE_H
#define FTSAN_TOOLS_SOURCE_LINE_H

#include <stdio.h>

/**
 * ftsan_put_source_line() - write it, without the blanks around it
 * @file: absolute path; a relative one is not looked for, it could be anybody's
 * @line: from 1
 *
 * Long lines are cut. Nothing is written where there is no such line or no plain file of
 * at most 16 MiB. The file may have been changed since: it is shown as it is now.
 *
 * Return: how many characters were written.
 */
int ftsan_put_source_line(FILE *out, const char *before, const char *file, int line);

#endif
