/*
 * What an instruction does to memory, seen without registers: which registers make the
 * address, how many bytes, and whether a compiler would make it for a C11 atomic.
 */
#ifndef FTSAN_DECODE_SHAPE_H
#define FTSAN_DECODE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/rules.h"

enum {
	FTSAN_SHAPE_NO_REGISTER = 255,
	FTSAN_SHAPE_RIP =
		254, /* then the displacement counts from the next instruction */
};

/**
 * struct ftsan_shape - one instruction
 * @length: bytes of it
 * @access: it has exactly one explicit memory operand, whose address these make: base
 *          and index (numbers of the processor's registers), scale, displacement
 * @size:   bytes of the operand
 * @other:  the register that is loaded from it, or stored to it: FTSAN_SHAPE_NO_REGISTER
 *          where it is none of the general ones
 * @form:   see rules/sampled.h
 * @locks:  it is one of those that lock-free code is made of: it locks the bus, or is a
 *          full fence. Such an access is never an @access
 * @reads, @writes: the operand
 */
struct ftsan_shape {
	uint8_t length;
	bool access, locks;
	uint8_t base, index, scale, other;
	int64_t displacement;
	uint32_t size;
	enum ftsan_access_form form;
	bool reads, writes;
};

/*
 * False: no instruction. Repeated and masked ones, gathers, accesses by segment registers
 * and to the stack by its pointer are no @access. Async-signal-safe.
 */
bool ftsan_shape_decode(struct ftsan_shape *out, const unsigned char *code, size_t room);

#endif
