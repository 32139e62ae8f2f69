/* What the files of this room share: the decoder itself, and addresses of operands. */
#ifndef FTSAN_DECODE_ZYDIS_X86_64_H
#define FTSAN_DECODE_ZYDIS_X86_64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>
#include <Zydis/Zydis.h>

struct ftsan_decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

/* @room: readable bytes at @code. Async-signal-safe. */
bool ftsan_zydis_decode(struct ftsan_decoded *out, const void *code, size_t room);

/* By the registers @gregs, with @gregs[REG_RIP] at the instruction itself. False for
 * segments, VSIB and address sizes that are not computed. */
bool ftsan_zydis_address(const ZydisDecodedInstruction *insn,
			 const ZydisDecodedOperand *op, const greg_t *gregs,
			 uintptr_t *address);

/* The 64-bit register that @reg is a part of; NONE for other kinds of registers. */
ZydisRegister ftsan_zydis_whole(ZydisRegister reg);

/* Index into gregs[] of the general register that @reg is a part of, or -1. */
int ftsan_zydis_greg(ZydisRegister reg);

/* Does it lock the bus? xchg with memory does so with or without the prefix. */
bool ftsan_zydis_locked(const ZydisDecodedInstruction *insn);

/* A mask register other than k0, which stands for none. */
static inline bool ftsan_zydis_has_mask(const ZydisDecodedInstruction *insn)
{
	return insn->avx.mask.mode > ZYDIS_MASK_MODE_DISABLED &&
	       insn->avx.mask.reg != ZYDIS_REGISTER_NONE &&
	       insn->avx.mask.reg != ZYDIS_REGISTER_K0;
}

/* May it leave bytes of the memory operand @op alone by a mask? */
bool ftsan_zydis_masked(const ZydisDecodedInstruction *insn,
			const ZydisDecodedOperand *op);

#endif
