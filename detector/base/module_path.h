/* What the path of a module says of it. Pure; async-signal-safe. */
#ifndef FTSAN_MODULE_PATH_H
#define FTSAN_MODULE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"

/* An extension module of the standard library: it belongs to the interpreter. */
static inline bool ftsan_path_is_stdlib(const char *path)
{
	return strstr(path, "/lib-dynload/") != NULL;
}

/* The names that builds give to extension modules (PEP 3149; abi3 and abi3t are those of
 * the stable ABI). A plain "name.so" may be one as well. */
static inline bool ftsan_path_has_tag(const char *path)
{
	const char *name = ftsan_str_base_name(path);

	return strstr(name, ".cpython-") != NULL || strstr(name, ".abi3") != NULL;
}

#endif
