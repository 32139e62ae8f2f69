/* A processor state that instructions are decoded under. */
#ifndef FTSAN_TESTS_DECODE_FIXTURE_H
#define FTSAN_TESTS_DECODE_FIXTURE_H

#include <check.h>
#include <dlfcn.h>
#include <string.h>
#include <ucontext.h>

#include "decode/decode.h"

enum { TO = 0x10000100, FROM = 0x20000200, STACK = 0x30000300 };

static ucontext_t uc;
static struct _libc_fpstate fpstate;
static struct ftsan_insn insn;

static void *zydis(const char *name)
{
	static void *library;

	if (library == NULL)
		library = dlopen(FTSAN_ZYDIS_SONAME, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(library != NULL, "%s", dlerror());
	return dlsym(library, name);
}

static void setup(void)
{
	greg_t *gregs = uc.uc_mcontext.gregs;

	ftsan_decode_init(zydis("ZydisDecoderInit"), zydis("ZydisDecoderDecodeFull"));
	ck_assert(ftsan_decode_available());
	gregs[REG_RAX] = 0x1122334455667788;
	gregs[REG_RBX] = 0x99aabbccddee;
	gregs[REG_RCX] = 3;
	gregs[REG_RDX] = 0x4444;
	gregs[REG_RDI] = TO;
	gregs[REG_RSI] = FROM;
	gregs[REG_RSP] = STACK;
	gregs[REG_R9] = 0x0102030405060708;
	uc.uc_mcontext.fpregs = &fpstate;
	for (unsigned reg = 0; reg < 16; reg++)
		for (unsigned byte = 0; byte < 16; byte++)
			((unsigned char *)&fpstate._xmm[reg])[byte] =
				(unsigned char)(reg << 4 | byte);
}

static inline void decode(const unsigned char *code, uintptr_t fault, bool is_write)
{
	uc.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)code;
	memset(&insn, 0xee, sizeof(insn));
	ftsan_decode_fault(&insn, &uc, fault, is_write);
	ck_assert_int_eq(insn.access.role, is_write ? FTSAN_ROLE_WRITE : FTSAN_ROLE_READ);
}

static inline void assert_access(uintptr_t address, uint32_t size)
{
	ck_assert(insn.access.exact);
	ck_assert_uint_eq(insn.access.address, address);
	ck_assert_uint_eq(insn.access.size, size);
}

static inline void assert_inexact(uintptr_t fault)
{
	ck_assert(!insn.access.exact);
	ck_assert_uint_eq(insn.access.address, fault);
	ck_assert_uint_eq(insn.access.size, 1);
	ck_assert_int_eq(insn.plan, FTSAN_PLAN_NONE);
}

#endif
