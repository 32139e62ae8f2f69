/* A name of the library that LD_PRELOAD can have: neither spaces nor colons are in it. */
#ifndef FTSAN_TOOLS_PRELOADABLE_H
#define FTSAN_TOOLS_PRELOADABLE_H

/**
 * ftsan_preloadable() - @library itself, or a link to it that has such a name
 * @library: absolute path of libftsan.so
 *
 * The loader splits LD_PRELOAD at both, and knows no quotes. A link lies in a directory
 * of this user's that nobody else can write to (of XDG_CACHE_HOME, HOME, XDG_RUNTIME_DIR
 * or /tmp the first that will do), and stays: programs may be started at any time, and
 * the next run takes the same one.
 *
 * Return: malloc'ed; NULL if there is no place for a link, which was printed.
 */
char *ftsan_preloadable(const char *library);

#endif
