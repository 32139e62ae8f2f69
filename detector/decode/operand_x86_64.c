#include "base/base.h"
#include "decode/decode.h"
#include "decode/zydis_x86_64.h"

static int greg_of(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15)
		return ftsan_context_index((unsigned)(reg - ZYDIS_REGISTER_RAX));
	return reg == ZYDIS_REGISTER_RIP ? REG_RIP : -1;
}

/* Of thread-local operands (fs, gs) the base is not in gregs[]. */
static bool take(const ZydisDecodedOperand *op, const ZydisDecodedInstruction *insn,
		 const greg_t *gregs, struct ftsan_operand *out)
{
	const ZydisDecodedOperandMem *mem = &op->mem;

	if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || mem->type != ZYDIS_MEMOP_TYPE_MEM ||
	    mem->segment == ZYDIS_REGISTER_FS || mem->segment == ZYDIS_REGISTER_GS)
		return false;
	out->base = mem->base != ZYDIS_REGISTER_NONE ? greg_of(mem->base) : -1;
	out->index = mem->index != ZYDIS_REGISTER_NONE ? greg_of(mem->index) : -1;
	if ((mem->base != ZYDIS_REGISTER_NONE && out->base < 0) ||
	    (mem->index != ZYDIS_REGISTER_NONE && out->index < 0))
		return false;
	out->scale = mem->scale;
	out->displacement = mem->disp.has_displacement ? mem->disp.value : 0;
	out->address = (uintptr_t)out->displacement;
	if (out->base >= 0)
		out->address += (uintptr_t)gregs[out->base] +
				(out->base == REG_RIP ? insn->length : 0);
	if (out->index >= 0)
		out->address += (uintptr_t)gregs[out->index] * mem->scale;
	/* A push or call writes below the stack pointer that it was entered with. */
	if (op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && out->base == REG_RSP &&
	    (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0)
		out->address -= op->size / 8;
	out->size = op->size / 8;
	out->writes = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
	out->found = true;
	return true;
}

static void choose(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *ops,
		   const greg_t *gregs, uintptr_t fault, struct ftsan_operand *out)
{
	struct ftsan_operand candidate = *out;
	unsigned best = 0;

	for (unsigned i = 0; i < insn->operand_count; i++) {
		unsigned rank = 1;

		if (!take(&ops[i], insn, gregs, &candidate))
			continue;
		if (fault != 0 &&
		    fault - candidate.address < (candidate.size ? candidate.size : 1))
			rank = 3;
		else if (!ftsan_cpu_is_canonical(candidate.address))
			rank = 2;
		if (rank > best) {
			best = rank;
			*out = candidate;
		}
	}
}

bool ftsan_decode_operand(struct ftsan_operand *out, const void *ucontext,
			  uintptr_t fault)
{
	const ucontext_t *uc = ucontext;
	uintptr_t ip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	struct ftsan_decoded decoded;
	const ZydisDecodedInstruction *insn = &decoded.insn;
	unsigned char bytes[FTSAN_INSN_MAX];
	size_t size;

	*out = (struct ftsan_operand){.base = -1, .index = -1};
	size = ftsan_text_read(bytes, ip, sizeof(bytes));
	if (!ftsan_zydis_decode(&decoded, bytes, size))
		return false;
	out->divides = insn->mnemonic == ZYDIS_MNEMONIC_DIV ||
		       insn->mnemonic == ZYDIS_MNEMONIC_IDIV;
	out->undefined = insn->mnemonic == ZYDIS_MNEMONIC_UD0 ||
			 insn->mnemonic == ZYDIS_MNEMONIC_UD1 ||
			 insn->mnemonic == ZYDIS_MNEMONIC_UD2;
	choose(insn, decoded.operand, uc->uc_mcontext.gregs, fault, out);
	return true;
}
