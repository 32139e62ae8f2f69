#include "decode/shape.h"

#include "base/base.h"
#include "decode/insn.h"
#include "decode/zydis_x86_64.h"

enum { ATOMIC_MAX = 8, OPERAND_MAX = 64, STACK_POINTER = 4 };

static uint8_t register_number(ZydisRegister reg)
{
	if (reg == ZYDIS_REGISTER_RIP)
		return FTSAN_SHAPE_RIP;
	if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15)
		return (uint8_t)(reg - ZYDIS_REGISTER_RAX);
	return FTSAN_SHAPE_NO_REGISTER;
}

/* is_move() - also of SSE registers, in which compilers load atomic doubles. */
static bool is_move(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_MOVQ:
	case ZYDIS_MNEMONIC_MOVD:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVSS:
	case ZYDIS_MNEMONIC_VMOVQ:
	case ZYDIS_MNEMONIC_VMOVD:
	case ZYDIS_MNEMONIC_VMOVSD:
	case ZYDIS_MNEMONIC_VMOVSS:
		return true;
	default:
		/* A call, or a jump, through an atomic pointer. */
		return insn->meta.category == ZYDIS_CATEGORY_CALL ||
		       insn->meta.category == ZYDIS_CATEGORY_UNCOND_BR;
	}
}

static enum ftsan_access_form form_of(const ZydisDecodedInstruction *insn,
				      const ZydisDecodedOperand *op)
{
	if (op->size / 8 > ATOMIC_MAX)
		return FTSAN_ACCESS_WIDE;
	return is_move(insn) ? FTSAN_ACCESS_MOVE : FTSAN_ACCESS_FOLDED;
}

static bool is_fence(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_MFENCE;
}

/* What touches no memory although it names some, or none that is told. */
static bool is_ordinary(const ZydisDecodedInstruction *insn)
{
	const ZydisInstructionAttributes not =
		ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE |
		ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS;

	return (insn->attributes & not ) == 0 && insn->address_width == 64 &&
	       insn->mnemonic != ZYDIS_MNEMONIC_LEA &&
	       insn->meta.category != ZYDIS_CATEGORY_NOP &&
	       insn->meta.category != ZYDIS_CATEGORY_WIDENOP &&
	       insn->meta.category != ZYDIS_CATEGORY_PREFETCH &&
	       insn->meta.category != ZYDIS_CATEGORY_XSAVE &&
	       insn->meta.category != ZYDIS_CATEGORY_XSAVEOPT &&
	       insn->meta.category != ZYDIS_CATEGORY_AMX_TILE;
}

/* only_operand() - the memory operand, if there is exactly one that is written out. */
static const ZydisDecodedOperand *only_operand(const struct ftsan_decoded *d)
{
	const ZydisDecodedOperand *found = NULL;

	for (unsigned i = 0; i < d->insn.operand_count_visible; i++) {
		const ZydisDecodedOperand *op = &d->operand[i];

		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (found != NULL || op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
			return NULL;
		found = op;
	}
	return found;
}

static bool take_address(struct ftsan_shape *out, const ZydisDecodedOperandMem *mem,
			 bool is_jump)
{
	out->base = register_number(mem->base);
	out->index = register_number(mem->index);
	out->scale = mem->scale;
	out->displacement = mem->disp.has_displacement ? mem->disp.value : 0;
	/* Stack slots are the thread's own; they are also half of all accesses. */
	if (out->base == STACK_POINTER)
		return false;
	/* Trampolines of the linkage table, which the loader fills in. */
	if (out->base == FTSAN_SHAPE_RIP && is_jump)
		return false;
	return (out->base != FTSAN_SHAPE_NO_REGISTER ||
		mem->base == ZYDIS_REGISTER_NONE) &&
	       (out->index != FTSAN_SHAPE_NO_REGISTER ||
		mem->index == ZYDIS_REGISTER_NONE);
}

static uint8_t other_register(const struct ftsan_decoded *d)
{
	for (unsigned i = 0; i < d->insn.operand_count_visible; i++)
		if (d->operand[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
			return register_number(
				ftsan_zydis_whole(d->operand[i].reg.value));
	return FTSAN_SHAPE_NO_REGISTER;
}

static void take_operand(struct ftsan_shape *out, const struct ftsan_decoded *d,
			 const ZydisDecodedOperand *op)
{
	out->size = op->size / 8;
	out->reads = (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
	out->writes = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
	out->form = form_of(&d->insn, op);
	out->other = other_register(d);
	out->access = take_address(out, &op->mem,
				   d->insn.meta.category == ZYDIS_CATEGORY_UNCOND_BR) &&
		      out->size > 0 && out->size <= OPERAND_MAX &&
		      (out->reads || out->writes) && is_ordinary(&d->insn) &&
		      !ftsan_zydis_has_mask(&d->insn) &&
		      !ftsan_zydis_masked(&d->insn, op);
}

bool ftsan_shape_decode(struct ftsan_shape *out, const unsigned char *code, size_t room)
{
	const ZydisDecodedOperand *op;
	struct ftsan_decoded d;

	*out = (struct ftsan_shape){.form = FTSAN_ACCESS_UNKNOWN};
	if (!ftsan_zydis_decode(&d, code, room))
		return false;
	out->length = d.insn.length;
	op = only_operand(&d);
	out->locks = is_fence(&d.insn) || (op != NULL && ftsan_zydis_locked(&d.insn));
	if (op != NULL)
		take_operand(out, &d, op);
	if (out->locks)
		out->access = false;
	return true;
}
