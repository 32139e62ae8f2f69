#include "decode/insn.h"

#include <string.h>

#include "base/base.h"
#include "decode/text.h"
#include "decode/zydis_x86_64.h"

typedef ZyanStatus (*init_fn)(ZydisDecoder *, ZydisMachineMode, ZydisStackWidth);
typedef ZyanStatus (*decode_fn)(const ZydisDecoder *, const void *, ZyanUSize,
				ZydisDecodedInstruction *, ZydisDecodedOperand *);

/* Written once at start-up, before the first trap. */
static decode_fn decode;
static ZydisDecoder decoder;

void ftsan_decode_init(void *zydis_init, void *zydis_decode)
{
	init_fn init = (init_fn)zydis_init;

	decode = NULL;
	if (init == NULL || zydis_decode == NULL)
		return;
	if (ZYAN_SUCCESS(
		    init(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		decode = (decode_fn)zydis_decode;
}

bool ftsan_decode_available(void)
{
	return decode != NULL;
}

bool ftsan_zydis_decode(struct ftsan_decoded *out, const void *code, size_t room)
{
	return decode != NULL &&
	       ZYAN_SUCCESS(decode(&decoder, code, room, &out->insn, out->operand));
}

/* greg_of() - index into gregs[] of a 64-bit register, or -1. */
static int greg_of(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15)
		return ftsan_context_index((unsigned)(reg - ZYDIS_REGISTER_RAX));
	return -1;
}

/* family_of() - the same for any part of a general register (eax, al, ah, r8w, ...). */
static int family_of(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D)
		return ftsan_context_index((unsigned)(reg - ZYDIS_REGISTER_EAX));
	if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W)
		return ftsan_context_index((unsigned)(reg - ZYDIS_REGISTER_AX));
	if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL)
		return ftsan_context_index((unsigned)(reg - ZYDIS_REGISTER_AL));
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return ftsan_context_index((unsigned)(reg - ZYDIS_REGISTER_AH));
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
		return ftsan_context_index((unsigned)(reg - ZYDIS_REGISTER_SPL + 4));
	return greg_of(reg);
}

int ftsan_zydis_greg(ZydisRegister reg)
{
	return family_of(reg);
}

ZydisRegister ftsan_zydis_whole(ZydisRegister reg)
{
	int greg = family_of(reg);

	for (unsigned i = 0; greg >= 0 && i < 16; i++)
		if (ftsan_context_index(i) == greg)
			return (ZydisRegister)(ZYDIS_REGISTER_RAX + i);
	return ZYDIS_REGISTER_NONE;
}

bool ftsan_zydis_address(const ZydisDecodedInstruction *insn,
			 const ZydisDecodedOperand *op, const greg_t *gregs,
			 uintptr_t *address)
{
	const ZydisDecodedOperandMem *mem = &op->mem;
	uintptr_t sum = mem->disp.has_displacement ? (uintptr_t)mem->disp.value : 0;
	int reg;

	if (mem->type != ZYDIS_MEMOP_TYPE_MEM || insn->address_width != 64 ||
	    mem->segment == ZYDIS_REGISTER_FS || mem->segment == ZYDIS_REGISTER_GS)
		return false;
	if (mem->base == ZYDIS_REGISTER_RIP) {
		sum += (uintptr_t)gregs[REG_RIP] + insn->length;
	} else if (mem->base != ZYDIS_REGISTER_NONE) {
		if ((reg = greg_of(mem->base)) < 0)
			return false;
		sum += (uintptr_t)gregs[reg];
	}
	if (mem->index != ZYDIS_REGISTER_NONE) {
		if ((reg = greg_of(mem->index)) < 0)
			return false;
		sum += (uintptr_t)gregs[reg] * mem->scale;
	}
	*address = sum;
	return true;
}

static bool is_repeated(const ZydisDecodedInstruction *insn)
{
	return (insn->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
				    ZYDIS_ATTRIB_HAS_REPNE)) != 0;
}

bool ftsan_zydis_locked(const ZydisDecodedInstruction *insn)
{
	return (insn->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0 ||
	       insn->mnemonic == ZYDIS_MNEMONIC_XCHG;
}

/*
 * looks_locked() - the same by the first bytes, for instructions that are not decoded:
 * atomics must not become races for want of a decoder.
 */
static bool looks_locked(const unsigned char ip[FTSAN_INSN_MAX])
{
	static const char prefixes[] = "\x26\x2e\x36\x3e\x64\x65\x66\x67\xf2\xf3";
	unsigned at = 0;

	while (at < FTSAN_INSN_MAX - 1 && strchr(prefixes, ip[at]) != NULL && ip[at] != 0)
		at++;
	if (ip[at] == 0xf0)
		return true;
	if ((ip[at] & 0xf0) == 0x40 && at < FTSAN_INSN_MAX - 1)
		at++; /* REX */
	return (ip[at] & 0xfe) ==
	       0x86; /* xchg; with a register as operand it can't fault */
}

/* find_operand() - the memory operand whose range holds the faulting byte. */
static const ZydisDecodedOperand *find_operand(const struct ftsan_decoded *d,
					       const greg_t *gregs, uintptr_t fault,
					       bool is_write, struct ftsan_access *access)
{
	ZydisOperandActions wanted = is_write ? ZYDIS_OPERAND_ACTION_MASK_WRITE
					      : ZYDIS_OPERAND_ACTION_MASK_READ;

	for (unsigned i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->operand[i];
		uintptr_t address;

		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY ||
		    (op->actions & wanted) == 0 || op->size == 0)
			continue;
		if (!ftsan_zydis_address(&d->insn, op, gregs, &address))
			continue;
		if (fault - address >= op->size / 8)
			continue;
		access->address = address;
		access->size = op->size / 8;
		access->exact = true;
		return op;
	}
	return NULL;
}

/* register_value() - the bytes of a source register; false for kinds we don't have. */
static bool register_value(ZydisRegister reg, uint32_t size, const ucontext_t *uc,
			   unsigned char *value)
{
	int greg = family_of(reg);

	if (reg >= ZYDIS_REGISTER_XMM0 && reg <= ZYDIS_REGISTER_XMM15 && size <= 16) {
		if (uc->uc_mcontext.fpregs == NULL)
			return false;
		memcpy(value, &uc->uc_mcontext.fpregs->_xmm[reg - ZYDIS_REGISTER_XMM0],
		       size);
		return true;
	}
	if (greg < 0 || size > 8)
		return false;
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		memcpy(value, (const char *)&uc->uc_mcontext.gregs[greg] + 1, size);
	else
		memcpy(value, &uc->uc_mcontext.gregs[greg], size);
	return true;
}

/* Plain stores: the operand's bytes are the low bytes of the source, nothing else. */
static bool is_plain_store(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVUPD:
	case ZYDIS_MNEMONIC_MOVAPD:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVQ:
	case ZYDIS_MNEMONIC_MOVD:
	case ZYDIS_MNEMONIC_MOVLPS:
	case ZYDIS_MNEMONIC_MOVLPD:
	case ZYDIS_MNEMONIC_VMOVUPS:
	case ZYDIS_MNEMONIC_VMOVAPS:
	case ZYDIS_MNEMONIC_VMOVDQU:
	case ZYDIS_MNEMONIC_VMOVDQA:
	case ZYDIS_MNEMONIC_VMOVQ:
	case ZYDIS_MNEMONIC_VMOVD:
		return true;
	default:
		return false;
	}
}

static bool plan_direct(const struct ftsan_decoded *d, const ZydisDecodedOperand *target,
			const ucontext_t *uc, struct ftsan_insn *out)
{
	const ZydisDecodedOperand *source = &d->operand[1];

	if (!is_plain_store(d->insn.mnemonic) || target != &d->operand[0] ||
	    out->access.size > FTSAN_OPERAND_MAX)
		return false;
	if (source->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		/* Zydis sign-extends the immediate to 64 bits where the processor does.
		 */
		memcpy(out->value, &source->imm.value.u,
		       out->access.size < 8 ? out->access.size : 8);
		return out->access.size <= 8;
	}
	return source->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       register_value(source->reg.value, out->access.size, uc, out->value);
}

/* uses_register() - does another operand, the index included, involve @greg? */
static bool uses_register(const struct ftsan_decoded *d,
			  const ZydisDecodedOperand *target, int greg)
{
	for (unsigned i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->operand[i];

		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    family_of(op->reg.value) == greg)
			return true;
		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    ((op != target && greg_of(op->mem.base) == greg) ||
		     greg_of(op->mem.index) == greg))
			return true;
	}
	return false;
}

bool ftsan_zydis_masked(const ZydisDecodedInstruction *insn,
			const ZydisDecodedOperand *op)
{
	/* Zydis says so of AVX-512's masks, but not of AVX's. */
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_VMASKMOVPS:
	case ZYDIS_MNEMONIC_VMASKMOVPD:
	case ZYDIS_MNEMONIC_VPMASKMOVD:
	case ZYDIS_MNEMONIC_VPMASKMOVQ:
		return true;
	default:
		return (op->actions & ZYDIS_OPERAND_ACTION_CONDWRITE) != 0;
	}
}

/* Bytes that a store leaves alone would be read into the copy first, and writing them
 * back would undo another thread's store to them. */
static bool plan_redirect(const struct ftsan_decoded *d,
			  const ZydisDecodedOperand *target, struct ftsan_insn *out)
{
	int base = greg_of(target->mem.base);

	if (base < 0 || base == REG_RSP || is_repeated(&d->insn) ||
	    out->access.size > FTSAN_OPERAND_MAX ||
	    target->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN ||
	    uses_register(d, target, base) || ftsan_zydis_masked(&d->insn, target))
		return false;
	out->base = base;
	return true;
}

static void plan_store(const struct ftsan_decoded *d, const ZydisDecodedOperand *target,
		       const ucontext_t *uc, struct ftsan_insn *out)
{
	uintptr_t first = out->access.address, last = first + out->access.size - 1;

	if (out->access.atomic || first / FTSAN_PAGE != last / FTSAN_PAGE)
		return;
	if (plan_direct(d, target, uc, out))
		out->plan = FTSAN_PLAN_DIRECT;
	else if (plan_redirect(d, target, out))
		out->plan = FTSAN_PLAN_REDIRECT;
}

void ftsan_decode_fault(struct ftsan_insn *out, const void *ucontext, uintptr_t fault,
			bool is_write)
{
	const ucontext_t *uc = ucontext;
	const greg_t *gregs = uc->uc_mcontext.gregs;
	unsigned char code[FTSAN_INSN_MAX] = {0};
	uintptr_t ip = ftsan_context_ip(uc);
	size_t on_page = FTSAN_PAGE - ip % FTSAN_PAGE;
	size_t room = ftsan_text_read(code, ip,
				      on_page < sizeof(code) ? on_page : sizeof(code));
	const ZydisDecodedOperand *operand;
	struct ftsan_decoded d;

	out->access = (struct ftsan_access){.address = fault,
					    .size = 1,
					    .role = is_write ? FTSAN_ROLE_WRITE
							     : FTSAN_ROLE_READ};
	out->access.atomic = looks_locked(code);
	out->rmw = false;
	out->repeated = false;
	out->length = 0;
	out->plan = FTSAN_PLAN_NONE;
	out->base = -1;
	/* An instruction that was about to run does not reach into a page that is not
	 * there. So the next page is only read for one that needs it. */
	if (!ftsan_zydis_decode(&d, code, room) &&
	    (room == sizeof(code) ||
	     !ftsan_zydis_decode(&d, code, ftsan_text_read(code, ip, sizeof(code)))))
		return;
	out->length = d.insn.length;
	out->access.atomic = ftsan_zydis_locked(&d.insn);
	operand = find_operand(&d, gregs, fault, is_write, &out->access);
	out->repeated = is_repeated(&d.insn);
	out->rmw = operand != NULL && is_write &&
		   (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
	if (operand != NULL && is_write)
		plan_store(&d, operand, uc, out);
}
