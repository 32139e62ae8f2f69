#include "decode/null_test.h"

#include "base/base.h"
#include "decode/zydis_x86_64.h"

enum { STEPS = 12 };

/**
 * struct walk - along the way of a pointer that is not NULL
 * @at:     the next instruction
 * @reg:    what was loaded
 * @tested: it was tested against itself, so the flags say whether it is NULL
 */
struct walk {
	const unsigned char *code;
	size_t at, room;
	ZydisRegister reg;
	bool tested;
};

enum step { ON, OVERWRITTEN, USED };

static bool reads(const ZydisDecodedOperand *op)
{
	return (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
}

static bool is_whole(const ZydisDecodedOperand *op, ZydisRegister reg)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value == reg;
}

static bool is_zero(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.value.u == 0;
}

/* uses() - does it read any part of the register, or leave some part as it was? */
static bool uses(const struct ftsan_decoded *d, ZydisRegister reg)
{
	for (unsigned i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->operand[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (ftsan_zydis_whole(op->mem.base) == reg ||
		     ftsan_zydis_whole(op->mem.index) == reg))
			return true;
		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    ftsan_zydis_whole(op->reg.value) != reg)
			continue;
		if (reads(op) || op->size < 32 ||
		    op->actions != ZYDIS_OPERAND_ACTION_WRITE)
			return true;
	}
	return false;
}

static bool writes(const struct ftsan_decoded *d, ZydisRegister reg)
{
	for (unsigned i = 0; i < d->insn.operand_count; i++)
		if (d->operand[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ftsan_zydis_whole(d->operand[i].reg.value) == reg)
			return true;
	return false;
}

/* System V's: what a function has to give back as it was. */
static bool outlives_calls(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_RBX || reg == ZYDIS_REGISTER_RBP ||
	       (reg >= ZYDIS_REGISTER_R12 && reg <= ZYDIS_REGISTER_R15);
}

/* go_to() - the target of a direct jump that goes on in what there is of the code. */
static enum step go_to(struct walk *walk, const struct ftsan_decoded *d)
{
	const ZydisDecodedOperand *op = &d->operand[0];

	if (op->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !op->imm.is_relative ||
	    op->imm.value.s < 0 || (uint64_t)op->imm.value.s >= walk->room - walk->at)
		return USED;
	walk->at += (size_t)op->imm.value.s;
	return ON;
}

/* branch() - only by the test of the register itself, whose outcome is known. */
static enum step branch(struct walk *walk, const struct ftsan_decoded *d)
{
	if (!walk->tested)
		return USED;
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_JNZ)
		return go_to(walk, d);
	return d->insn.mnemonic == ZYDIS_MNEMONIC_JZ ? ON : USED;
}

static bool is_test(const struct ftsan_decoded *d, ZydisRegister reg)
{
	return d->insn.mnemonic == ZYDIS_MNEMONIC_TEST && is_whole(&d->operand[0], reg) &&
	       is_whole(&d->operand[1], reg);
}

/* What does not read flags, does not branch, and leaves nothing to guess. */
static bool is_understood(const struct ftsan_decoded *d)
{
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_LEA:
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_ENDBR64:
	case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVDQU:
		return true;
	default:
		return false;
	}
}

static enum step one_step(struct walk *walk)
{
	struct ftsan_decoded d;

	if (!ftsan_zydis_decode(&d, walk->code + walk->at, walk->room - walk->at))
		return USED;
	walk->at += d.insn.length;
	if (is_test(&d, walk->reg)) {
		walk->tested = true;
		return ON;
	}
	if (uses(&d, walk->reg))
		return USED;
	switch (d.insn.meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		return branch(walk, &d);
	case ZYDIS_CATEGORY_UNCOND_BR:
		return go_to(walk, &d);
	case ZYDIS_CATEGORY_CALL:
		walk->tested = false;
		return outlives_calls(walk->reg) ? ON : USED;
	default:
		break;
	}
	if (!is_understood(&d))
		return USED;
	return writes(&d, walk->reg) ? OVERWRITTEN : ON;
}

/* begin() - the load; false: it is none. */
static bool begin(struct walk *walk, const struct ftsan_decoded *d)
{
	if (d->insn.mnemonic != ZYDIS_MNEMONIC_MOV ||
	    d->operand[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    d->operand[1].type != ZYDIS_OPERAND_TYPE_MEMORY || d->operand[0].size != 64)
		return false;
	walk->reg = ftsan_zydis_whole(d->operand[0].reg.value);
	walk->at = d->insn.length;
	return walk->reg != ZYDIS_REGISTER_NONE && walk->reg != ZYDIS_REGISTER_RSP;
}

/* The flags of a comparison with memory are read by whoever comes next. */
static bool compares_with_zero(const struct ftsan_decoded *d, const unsigned char *rest,
			       size_t room)
{
	struct ftsan_decoded next;

	return d->insn.mnemonic == ZYDIS_MNEMONIC_CMP &&
	       d->operand[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       d->operand[0].size == 64 && is_zero(&d->operand[1]) &&
	       ftsan_zydis_decode(&next, rest, room) &&
	       (next.insn.mnemonic == ZYDIS_MNEMONIC_JZ ||
		next.insn.mnemonic == ZYDIS_MNEMONIC_JNZ ||
		next.insn.mnemonic == ZYDIS_MNEMONIC_SETZ ||
		next.insn.mnemonic == ZYDIS_MNEMONIC_SETNZ);
}

bool ftsan_decode_tests_null(const unsigned char *code, size_t room)
{
	struct walk walk = {.code = code, .room = room};
	bool ever_tested = false;
	struct ftsan_decoded d;

	if (!ftsan_zydis_decode(&d, code, room))
		return false;
	if (compares_with_zero(&d, code + d.insn.length, room - d.insn.length))
		return true;
	if (!begin(&walk, &d))
		return false;
	for (unsigned i = 0; i < STEPS; i++) {
		enum step step = one_step(&walk);

		ever_tested = ever_tested || walk.tested;
		if (step != ON)
			return step == OVERWRITTEN && ever_tested;
	}
	return false;
}
