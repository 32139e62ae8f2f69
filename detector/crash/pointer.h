/* What a pointer is: asked of the one that killed the process. */
#ifndef FTSAN_POINTER_H
#define FTSAN_POINTER_H

#include <stdint.h>

#include "rules/rules.h"

enum { FTSAN_POINTER_TEXT = 200 };

/**
 * struct ftsan_pointer - the answer
 * @text: a sentence fragment: "NULL", "an address that nothing is mapped at"
 */
struct ftsan_pointer {
	enum ftsan_pointer_kind kind;
	char text[FTSAN_POINTER_TEXT];
};

/**
 * ftsan_pointer_explain() - fill @out for @value
 * @sp: the thread's stack pointer, by which its own stack is known
 *
 * Reads /proc/self/maps. Context: async-signal-safe.
 */
void ftsan_pointer_explain(struct ftsan_pointer *out, uintptr_t value, uintptr_t sp);

#endif
