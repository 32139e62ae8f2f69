/*
 * The value stack of a Python frame: what the instruction that runs now was given. Read
 * at the moment of a report only, so that it costs the program nothing.
 */
#ifndef FTSAN_PYOPERANDS_H
#define FTSAN_PYOPERANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/pyabi.h"

enum { FTSAN_OPERANDS_MAX = 48 };

/**
 * struct ftsan_operands - the topmost values of a frame's stack
 * @n:         used entries
 * @value:     topmost first, object addresses without tags; 0 for NULL
 * @top_known: the interpreter keeps the stack pointer in the frame (3.14 and later);
 *             otherwise the first entries may be left over from earlier instructions
 */
struct ftsan_operands {
	unsigned n;
	bool top_known;
	uintptr_t value[FTSAN_OPERANDS_MAX];
};

/**
 * ftsan_pyoperands() - the operands of the calling thread's frame number @depth
 * @depth: 0 is the innermost that has code
 *
 * Context: as ftsan_pyframes_walk(). Return: false when there is no such frame.
 */
bool ftsan_pyoperands(const struct ftsan_pyabi *abi, uintptr_t tstate,
		      uintptr_t code_type, unsigned depth, struct ftsan_operands *out);

#endif
