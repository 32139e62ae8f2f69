/*
 * Names of modules and functions without what another build of them has different.
 *
 * Context: pure; async-signal-safe.
 */
#ifndef FTSAN_LASTING_NAME_H
#define FTSAN_LASTING_NAME_H

#include <stddef.h>

/* "_mcp.cpython-314t-x86_64-linux-gnu.so", "libopenblas64_p-r0-0cf96a72.3.23.dev.so" and
 * "libpython3.14t.so.1.0" are "_mcp", "libopenblas64_p-r0" and "python3". */
void ftsan_lasting_module(char *to, size_t size, const char *path);

/* Without .isra.0, .constprop.1, .part.0, .cold, .llvm.123, which are the compiler's, and
 * without the numbers that Cython gives its functions. */
void ftsan_lasting_function(char *to, size_t size, const char *name);

#endif
