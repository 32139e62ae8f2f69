/* Whether a program can have libftsan.so preloaded at all, asked before it is. */
#ifndef FTSAN_TOOLS_LOADABLE_H
#define FTSAN_TOOLS_LOADABLE_H

#include <stdbool.h>

/**
 * ftsan_loadable() - would the loader of this program take the library?
 * @command: as execvp(3) takes it; a script's interpreter is looked at instead of it,
 *           "env NAME" included
 * @library: path of libftsan.so
 * @reason:  set to a malloc'ed text if it would not, else to NULL
 *
 * A loader that can't take a preloaded library either says so and goes on (another
 * architecture), or ends the program before it begins (musl; a glibc that is too old). A
 * program of this command's own loader can take it, as the command itself runs with that
 * glibc. Another glibc's loader is asked. What can't be read is taken to be loadable:
 * starting it says what is wrong with it.
 *
 * Context: before the command is started; may start the program's loader, not the program.
 * Return:  false: it must be started without the library.
 */
bool ftsan_loadable(const char *command, const char *library, char **reason);

#endif
