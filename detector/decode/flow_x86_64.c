#include "decode/flow.h"

#include "base/base.h"
#include "decode/zydis_x86_64.h"

static void take_target(struct ftsan_flow *out, uintptr_t next,
			const ZydisDecodedOperand *op)
{
	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.is_relative)
		out->target = next + (uintptr_t)op->imm.value.s;
	else if (op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		 op->mem.base == ZYDIS_REGISTER_RIP)
		out->slot = next + (uintptr_t)op->mem.disp.value;
}

bool ftsan_flow_decode(struct ftsan_flow *out, uintptr_t at, const unsigned char *code,
		       size_t room)
{
	struct ftsan_decoded d;

	*out = (struct ftsan_flow){.goes_on = true};
	if (!ftsan_zydis_decode(&d, code, room))
		return false;
	out->length = d.insn.length;
	switch (d.insn.meta.category) {
	case ZYDIS_CATEGORY_RET:
		out->goes_on = false;
		break;
	case ZYDIS_CATEGORY_UNCOND_BR:
		out->goes_on = false;
		out->branches = true;
		break;
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
		out->branches = true;
		break;
	default:
		out->goes_on = d.insn.mnemonic != ZYDIS_MNEMONIC_UD2;
		break;
	}
	if (out->branches)
		take_target(out, at + out->length, &d.operand[0]);
	return true;
}
