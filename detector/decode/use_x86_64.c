#include "decode/use.h"

#include "base/base.h"
#include "decode/zydis_x86_64.h"

/* load_into() - the whole register that a load is into; NONE: it is no plain load. */
static ZydisRegister load_into(const struct ftsan_decoded *d)
{
	const ZydisDecodedOperand *to = &d->operand[0], *from = &d->operand[1];

	if (d->insn.mnemonic != ZYDIS_MNEMONIC_MOV ||
	    to->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    from->type != ZYDIS_OPERAND_TYPE_MEMORY)
		return ZYDIS_REGISTER_NONE;
	return ftsan_zydis_whole(to->reg.value);
}

/* next() - the instruction at @at, which moves on; false: none. */
static bool next(struct ftsan_decoded *d, const unsigned char *code, size_t room,
		 size_t *at)
{
	if (*at >= room || !ftsan_zydis_decode(d, code + *at, room - *at))
		return false;
	*at += d->insn.length;
	return true;
}

uint64_t ftsan_load_mask(const unsigned char *code, size_t room, const void *ucontext)
{
	const greg_t *gregs = ((const ucontext_t *)ucontext)->uc_mcontext.gregs;
	struct ftsan_decoded d;
	ZydisRegister into;
	size_t at = 0;
	int greg;

	if (!next(&d, code, room, &at))
		return UINT64_MAX;
	into = load_into(&d);
	if (into == ZYDIS_REGISTER_NONE || !next(&d, code, room, &at) ||
	    d.insn.mnemonic != ZYDIS_MNEMONIC_AND ||
	    d.operand[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    ftsan_zydis_whole(d.operand[0].reg.value) != into)
		return UINT64_MAX;
	if (d.operand[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return d.operand[1].imm.value.u;
	greg = d.operand[1].type == ZYDIS_OPERAND_TYPE_REGISTER
		       ? ftsan_zydis_greg(d.operand[1].reg.value)
		       : -1;
	return greg < 0 ? UINT64_MAX : (uint64_t)gregs[greg];
}
