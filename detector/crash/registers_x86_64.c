#include "crash/registers.h"

#include <ucontext.h>

#include "base/base.h"

const char *ftsan_register_name(int index)
{
	static const char *const names[] = {
		[REG_R8] = "r8",   [REG_R9] = "r9",   [REG_R10] = "r10", [REG_R11] = "r11",
		[REG_R12] = "r12", [REG_R13] = "r13", [REG_R14] = "r14", [REG_R15] = "r15",
		[REG_RDI] = "rdi", [REG_RSI] = "rsi", [REG_RBP] = "rbp", [REG_RBX] = "rbx",
		[REG_RDX] = "rdx", [REG_RAX] = "rax", [REG_RCX] = "rcx", [REG_RSP] = "rsp",
		[REG_RIP] = "rip",
	};

	return index >= 0 && index < (int)FTSAN_ARRAY_LEN(names) ? names[index] : "";
}

const char *ftsan_register_ip_name(void)
{
	return ftsan_register_name(REG_RIP);
}

bool ftsan_register_is_ip(int index)
{
	return index == REG_RIP;
}

/* The exception's number (x86 manual, volume 3, 6.3.1): 14, a page fault. An address that
 * is none is a general protection fault. */
bool ftsan_fault_of_page(const void *ucontext)
{
	return ftsan_context_register(ucontext, REG_TRAPNO) == 14;
}
