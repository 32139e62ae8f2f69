/*
 * The text of a str object in another's memory, as UTF-8.
 */
#ifndef FTSAN_PYTEXT_H
#define FTSAN_PYTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stacks/pyabi.h"

/**
 * ftsan_pytext_read() - copy a str
 * @str:       PyObject *, any value
 * @to:        @capacity bytes (at most FTSAN_PYFILE_MAX); always NUL-terminated
 * @keep_tail: what to keep of a long one: its end, after "...", or its beginning
 *
 * Lone surrogates (undecodable bytes of a file name) and NULs become U+FFFD.
 *
 * Context: async-signal-safe. Return: false when there is no readable compact str.
 */
bool ftsan_pytext_read(const struct ftsan_pyabi *abi, uintptr_t str, char *to,
		       size_t capacity, bool keep_tail);

#endif
