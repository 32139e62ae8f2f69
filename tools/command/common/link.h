/* Places of frames as links that terminals follow (OSC 8). */
#ifndef FTSAN_TOOLS_LINK_H
#define FTSAN_TOOLS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Is there a terminal that knows links, or passes them over? The others show rubbish. */
bool ftsan_links_wanted(void);

/**
 * ftsan_put_linked() - a line of a report, with the place of a frame as a link
 * @line: @length bytes, cleaned for a terminal, without the newline
 *
 * "    #0 work t.c:17  |  a = b;" links "t.c:17" to the file, where it is one here: its
 * path as it stands there, from the working directory. All other lines are written as
 * they are.
 */
void ftsan_put_linked(FILE *out, const char *line, size_t length);

#endif
