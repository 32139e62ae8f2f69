/*
 * An instruction that faulted: 16 bytes of code, four of the fault's distance from RDI,
 * then registers. The code lies so that it can be read to its end and no byte further.
 */
#include <dlfcn.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/base.h"
#include "decode/decode.h"
#include "fuzz.h"
#include "rules/rules.h"

enum { CODE_BYTES = 16, HEAD_BYTES = CODE_BYTES + 4 };

static unsigned char *page; /* of code; the one behind it can't be read */

static void set_up(void)
{
	void *zydis = dlopen(FTSAN_ZYDIS_SONAME, RTLD_NOW | RTLD_LOCAL);

	EXPECT(zydis != NULL);
	ftsan_decode_init(dlsym(zydis, "ZydisDecoderInit"),
			  dlsym(zydis, "ZydisDecoderDecodeFull"));
	EXPECT(ftsan_decode_available());
	page = mmap(NULL, 2 * FTSAN_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(page != MAP_FAILED);
	EXPECT(mprotect(page + FTSAN_PAGE, FTSAN_PAGE, PROT_NONE) == 0);
}

static void check(const struct ftsan_insn *insn, uintptr_t fault, bool is_write)
{
	EXPECT(insn->length <= FTSAN_INSN_MAX);
	EXPECT(insn->access.role == (is_write ? FTSAN_ROLE_WRITE : FTSAN_ROLE_READ));
	EXPECT(insn->access.size > 0);
	/* What is found holds the byte that faulted. */
	EXPECT(fault - insn->access.address < insn->access.size);
	if (!insn->access.exact)
		EXPECT(insn->access.address == fault && insn->access.size == 1);
	if (insn->plan == FTSAN_PLAN_NONE)
		return;
	EXPECT(is_write && insn->access.exact && !insn->access.atomic);
	EXPECT(insn->access.size <= FTSAN_OPERAND_MAX && insn->length > 0);
	EXPECT(insn->access.address % FTSAN_PAGE + insn->access.size <= FTSAN_PAGE);
	if (insn->plan == FTSAN_PLAN_REDIRECT)
		EXPECT(insn->base >= 0 && insn->base < REG_RIP && insn->base != REG_RSP);
}

static void decode_at(const unsigned char *code, ucontext_t *uc, uintptr_t fault,
		      bool is_write, struct ftsan_insn *insn)
{
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)code;
	memset(insn, 0, sizeof(*insn));
	ftsan_decode_fault(insn, uc, fault, is_write);
	check(insn, fault, is_write);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct _libc_fpstate fpstate;
	ucontext_t uc = {.uc_mcontext.fpregs = &fpstate};
	struct ftsan_insn whole, last;
	greg_t *gregs = uc.uc_mcontext.gregs;
	uintptr_t fault;
	int16_t distance;
	bool is_write;

	if (page == NULL)
		set_up();
	if (size < HEAD_BYTES)
		return 0;
	memcpy(gregs, data + HEAD_BYTES,
	       size - HEAD_BYTES < 16 * 8 ? size - HEAD_BYTES : 16 * 8);
	memcpy(&distance, data + CODE_BYTES, sizeof(distance));
	fault = (uintptr_t)gregs[REG_RDI] + (uintptr_t)distance;
	is_write = data[CODE_BYTES + 2] & 1;
	memcpy(page, data, CODE_BYTES);
	decode_at(page, &uc, fault, is_write, &whole);
	if (whole.length == 0)
		return 0;
	/* The processor would have executed it there, too. */
	memcpy(page + FTSAN_PAGE - whole.length, data, whole.length);
	decode_at(page + FTSAN_PAGE - whole.length, &uc, fault, is_write, &last);
	EXPECT(last.length == whole.length && last.access.atomic == whole.access.atomic);
	return 0;
}
