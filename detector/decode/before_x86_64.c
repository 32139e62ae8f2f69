#include "decode/before.h"

#include <string.h>

#include "base/base.h"
#include "decode/insn.h"
#include "decode/text.h"
#include "decode/zydis_x86_64.h"

enum {
	VECTOR = 16, /* bytes from which a load is one of vectors */
	/* A string function looks at what it has loaded within so many instructions. */
	AHEAD = 6,
};

/* Comparisons of bytes: what string functions search with. */
static bool searches(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_PCMPEQB:
	case ZYDIS_MNEMONIC_PCMPEQW:
	case ZYDIS_MNEMONIC_PCMPEQD:
	case ZYDIS_MNEMONIC_PCMPGTB:
	case ZYDIS_MNEMONIC_PMINUB:
	case ZYDIS_MNEMONIC_PMINUD:
	case ZYDIS_MNEMONIC_PMINUW:
	case ZYDIS_MNEMONIC_PSUBB:
	case ZYDIS_MNEMONIC_PCMPISTRI:
	case ZYDIS_MNEMONIC_PCMPISTRM:
	case ZYDIS_MNEMONIC_PCMPESTRI:
	case ZYDIS_MNEMONIC_PCMPESTRM:
	case ZYDIS_MNEMONIC_VPCMPISTRI:
	case ZYDIS_MNEMONIC_VPCMPEQB:
	case ZYDIS_MNEMONIC_VPCMPEQW:
	case ZYDIS_MNEMONIC_VPCMPEQD:
	case ZYDIS_MNEMONIC_VPCMPGTB:
	case ZYDIS_MNEMONIC_VPCMPB:
	case ZYDIS_MNEMONIC_VPCMPUB:
	case ZYDIS_MNEMONIC_VPCMPD:
	case ZYDIS_MNEMONIC_VPCMPUD:
	case ZYDIS_MNEMONIC_VPMINUB:
	case ZYDIS_MNEMONIC_VPMINUD:
	case ZYDIS_MNEMONIC_VPMINUW:
	case ZYDIS_MNEMONIC_VPTESTMB:
	case ZYDIS_MNEMONIC_VPTESTMD:
	case ZYDIS_MNEMONIC_VPTESTNMB:
	case ZYDIS_MNEMONIC_VPTESTNMD:
	case ZYDIS_MNEMONIC_VPTERNLOGD:
	case ZYDIS_MNEMONIC_VPTERNLOGQ:
	case ZYDIS_MNEMONIC_VPXORQ:
		return true;
	default:
		return false;
	}
}

/* Moves that may begin before the string: the address was rounded down for them. */
static bool is_aligned_move(const ZydisDecodedInstruction *insn)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVAPD:
	case ZYDIS_MNEMONIC_VMOVDQA:
	case ZYDIS_MNEMONIC_VMOVDQA32:
	case ZYDIS_MNEMONIC_VMOVDQA64:
	case ZYDIS_MNEMONIC_VMOVAPS:
	case ZYDIS_MNEMONIC_VMOVAPD:
		return true;
	default:
		return false;
	}
}

/* What has an address and no access, as far as watchpoints go. */
static bool touches_nothing(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_PREFETCH ||
	       insn->meta.category == ZYDIS_CATEGORY_NOP ||
	       insn->meta.category == ZYDIS_CATEGORY_WIDENOP ||
	       insn->mnemonic == ZYDIS_MNEMONIC_LEA;
}

static bool stores_some_state(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_XSAVE ||
	       insn->meta.category == ZYDIS_CATEGORY_XSAVEOPT ||
	       insn->meta.category == ZYDIS_CATEGORY_AMX_TILE ||
	       insn->mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU ||
	       insn->mnemonic == ZYDIS_MNEMONIC_MASKMOVQ;
}

static bool is_string(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_STRINGOP;
}

/*
 * may_leave() - may it leave bytes of its operand alone? Where Zydis calls a store
 * conditional, it is one by a mask, but for two: a cmpxchg stores in any case, and a
 * repeated one that stores nothing hits nothing.
 */
static bool may_leave(const struct ftsan_decoded *d, const ZydisDecodedOperand *op)
{
	if (ftsan_zydis_has_mask(&d->insn) || stores_some_state(&d->insn))
		return true;
	return ftsan_zydis_masked(&d->insn, op) && !is_string(&d->insn) &&
	       d->insn.meta.category != ZYDIS_CATEGORY_SEMAPHORE;
}

static enum ftsan_watch_form form_of(const struct ftsan_decoded *d,
				     const ZydisDecodedOperand *op)
{
	if (op->mem.type == ZYDIS_MEMOP_TYPE_VSIB)
		return FTSAN_FORM_GATHERED;
	if (may_leave(d, op))
		return FTSAN_FORM_MASKED;
	if ((op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0 &&
	    op->size / 8 >= VECTOR && (searches(&d->insn) || is_aligned_move(&d->insn)))
		return FTSAN_FORM_SEARCH;
	return FTSAN_FORM_PLAIN;
}

static bool is_access(const struct ftsan_decoded *d, const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       op->mem.type != ZYDIS_MEMOP_TYPE_AGEN && !touches_nothing(&d->insn) &&
	       (op->actions &
		(ZYDIS_OPERAND_ACTION_MASK_WRITE | ZYDIS_OPERAND_ACTION_MASK_READ)) != 0;
}

static void describe(struct ftsan_watch_insn *out, const struct ftsan_decoded *d,
		     const ZydisDecodedOperand *op)
{
	*out = (struct ftsan_watch_insn){
		.form = form_of(d, op),
		.size = op->size / 8,
		.reads = (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0,
		.writes = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0,
		.locked = ftsan_zydis_locked(&d->insn),
	};
}

void ftsan_decode_at(struct ftsan_watch_insn *out, const unsigned char *code)
{
	struct ftsan_decoded d;

	*out = (struct ftsan_watch_insn){.form = FTSAN_FORM_UNKNOWN};
	if (!ftsan_zydis_decode(&d, code, FTSAN_INSN_MAX))
		return;
	for (unsigned i = 0; i < d.insn.operand_count; i++)
		if (is_access(&d, &d.operand[i])) {
			describe(out, &d, &d.operand[i]);
			return;
		}
}

/* --- which one it was -------------------------------------------------------------- */

/**
 * struct window - the code around where the thread is
 * @code:   @before bytes of what precedes it, @after bytes of what follows
 */
struct window {
	unsigned char code[2 * FTSAN_INSN_MAX + AHEAD * FTSAN_INSN_MAX];
	unsigned before, after;
};

static void read_code(struct window *window, uintptr_t ip)
{
	window->before =
		(unsigned)ftsan_text_read_before(window->code, ip, FTSAN_INSN_MAX);
	window->after = (unsigned)ftsan_text_read(window->code + window->before, ip,
						  AHEAD * FTSAN_INSN_MAX);
}

/* Is what was loaded searched by one of the next instructions? */
static bool is_searched(const struct window *window)
{
	unsigned at = 0;
	struct ftsan_decoded d;

	for (unsigned i = 0; i < AHEAD && at < window->after; i++) {
		if (!ftsan_zydis_decode(&d, window->code + window->before + at,
					window->after - at))
			return false;
		if (searches(&d.insn))
			return true;
		at += d.insn.length;
	}
	return false;
}

/* By the registers after it. A string instruction has moved on from what it did. @where:
 * where it did it, if that is known. */
static bool covers(const struct ftsan_decoded *d, const ZydisDecodedOperand *op,
		   const greg_t *gregs, uintptr_t address, uint32_t size,
		   uintptr_t *where)
{
	uintptr_t first;

	*where = 0;
	if (op->mem.type == ZYDIS_MEMOP_TYPE_VSIB || op->size == 0)
		return true; /* not computed: it may */
	if (!ftsan_zydis_address(&d->insn, op, gregs, &first))
		return false;
	if (is_string(&d->insn))
		return first > address;
	*where = first;
	return first < address + size && address < first + op->size / 8;
}

/* Has it overwritten a register of its own address (mov (%rax),%rax)? */
static bool lost_address(const struct ftsan_decoded *d, const ZydisDecodedOperand *mem)
{
	for (unsigned i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->operand[i];
		ZydisRegister whole;

		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0)
			continue;
		whole = ftsan_zydis_whole(op->reg.value);
		if (whole != ZYDIS_REGISTER_NONE &&
		    (whole == mem->mem.base || whole == mem->mem.index))
			return true;
	}
	return false;
}

/**
 * struct candidates - what the instruction can have been
 * @sure: covers the word; what proves less wins, and among equals the longest
 * @lost: a plain one whose address is not known any more
 *
 * Only plain instructions change the registers of their address. So where no other one
 * covers the word, a lost one was it.
 */
struct candidates {
	struct ftsan_watch_insn sure, lost;
};

static void consider(struct candidates *found, const struct ftsan_decoded *d,
		     const greg_t *gregs, uintptr_t address, uint32_t size)
{
	for (unsigned i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->operand[i];
		struct ftsan_watch_insn one;
		uintptr_t where;

		if (!is_access(d, op))
			continue;
		describe(&one, d, op);
		if (covers(d, op, gregs, address, size, &where)) {
			one.address = where;
			if (found->sure.form == FTSAN_FORM_UNKNOWN ||
			    (found->sure.form == FTSAN_FORM_PLAIN &&
			     one.form != FTSAN_FORM_PLAIN))
				found->sure = one;
		} else if (found->lost.form == FTSAN_FORM_UNKNOWN &&
			   one.form == FTSAN_FORM_PLAIN && lost_address(d, op)) {
			found->lost = one;
		}
	}
}

void ftsan_decode_before(struct ftsan_watch_insn *out, const void *ucontext,
			 uintptr_t address, uint32_t size)
{
	greg_t gregs[NGREG];
	uintptr_t ip;
	struct candidates found = {.sure = {.form = FTSAN_FORM_UNKNOWN}};
	struct window window;
	struct ftsan_decoded d;

	*out = (struct ftsan_watch_insn){.form = FTSAN_FORM_UNKNOWN};
	if (!ftsan_decode_available())
		return;
	memcpy(gregs, ((const ucontext_t *)ucontext)->uc_mcontext.gregs, sizeof(gregs));
	ip = (uintptr_t)gregs[REG_RIP];
	read_code(&window, ip);
	for (unsigned length = window.before; length > 0; length--) {
		const unsigned char *code = window.code + window.before - length;

		if (!ftsan_zydis_decode(&d, code, length) || d.insn.length != length)
			continue;
		gregs[REG_RIP] = (greg_t)(ip - length);
		consider(&found, &d, gregs, address, size);
	}
	*out = found.sure.form != FTSAN_FORM_UNKNOWN ? found.sure : found.lost;
	if (out->form == FTSAN_FORM_PLAIN && !out->writes && out->size >= VECTOR &&
	    is_searched(&window))
		out->form = FTSAN_FORM_SEARCH;
}
