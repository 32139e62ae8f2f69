/* C++ names, without linking a C++ runtime. */
#ifndef FTSAN_TOOLS_DEMANGLE_H
#define FTSAN_TOOLS_DEMANGLE_H

/**
 * ftsan_demangle() - the C++ declaration behind a mangled name
 *
 * Uses the demangler of libstdc++.so.6 or libc++abi.so.1 when this machine has one.
 *
 * Return: malloc'ed, the caller's; NULL when @name is not mangled or nothing here can
 *         read it, and @name is to be shown as it is.
 */
char *ftsan_demangle(const char *name);

/**
 * ftsan_demangle_text() - a sentence with the mangled names in it demangled
 *
 * Long template arguments and the parameters of functions are left out, for people.
 *
 * Return: malloc'ed, the caller's.
 */
char *ftsan_demangle_text(const char *text);

#endif
