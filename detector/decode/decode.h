/*
 * The room of instructions: what one does to memory, how its store can be performed
 * somewhere else, which access the one before an address made. Zydis decodes; it is
 * opened by the preloaded object, because Debian has no position-independent archive of
 * it.
 *
 * May use: base, rules.
 * Held: nothing; instructions are decoded in handlers.
 */
#ifndef FTSAN_DECODE_ROOM_H
#define FTSAN_DECODE_ROOM_H

#include "decode/before.h"
#include "decode/flow.h"
#include "decode/insn.h"
#include "decode/null_test.h"
#include "decode/shape.h"
#include "decode/text.h"
#include "decode/use.h"

/**
 * struct ftsan_operand - the memory that an instruction addresses
 * @base, @index: into gregs[]; -1: none (@base REG_RIP: relative to the instruction)
 * @address:      as the registers have it
 * @size:         bytes, 0 when it is not known
 * @divides:      the instruction is an integer division
 * @undefined:    it is ud0, ud1 or ud2, as __builtin_trap() makes them
 */
struct ftsan_operand {
	int base, index;
	unsigned scale;
	int64_t displacement;
	uintptr_t address;
	uint32_t size;
	bool found;
	bool writes;
	bool divides;
	bool undefined;
};

/**
 * ftsan_decode_operand() - what a fatal instruction was about to access
 * @fault: faulting address; 0 when the processor names none (the address was none at all)
 *
 * Of several operands the one that holds @fault, else the first whose address is not
 * canonical, else the first.
 *
 * Context: async-signal-safe. Return: false when it can't be decoded.
 */
bool ftsan_decode_operand(struct ftsan_operand *out, const void *ucontext,
			  uintptr_t fault);

#endif
