/*
 * Functions that store where they were called from, and the mask by a call of the kernel.
 * They return more than once, so that nothing of ours may be on the stack by then: the
 * memory is opened, and the original is jumped to.
 */
#include "statics/kernel_twice.h"

#include <setjmp.h>
#include <ucontext.h>

#include "statics/statics.h"

uintptr_t ftsan_kernel_sigsetjmp_real, ftsan_kernel_getcontext_real,
	ftsan_kernel_swapcontext_real;

/* It stays open for long enough. */
static void open_for_now(const void *memory, size_t size_bytes)
{
	struct ftsan_statics_call call;

	call.n = 0;
	ftsan_statics_kernel(&call, memory, size_bytes, true);
	ftsan_statics_kernel_end(&call);
}

void ftsan_kernel_opens_jump(const void *jump)
{
	open_for_now(jump, sizeof(sigjmp_buf));
}

void ftsan_kernel_opens_context(const void *context)
{
	open_for_now(context, sizeof(ucontext_t));
}

#define STUB(name, opens)                                                                \
	__asm__(".text\n"                                                                \
		".p2align 4\n"                                                           \
		".globl ftsan_kernel_" #name "\n"                                        \
		".hidden ftsan_kernel_" #name "\n"                                       \
		".type ftsan_kernel_" #name ", @function\n"                              \
		"ftsan_kernel_" #name ":\n"                                              \
		".cfi_startproc\n"                                                       \
		"	endbr64\n"                                                           \
		"	pushq %rdi\n"                                                        \
		".cfi_adjust_cfa_offset 8\n"                                             \
		"	pushq %rsi\n"                                                        \
		".cfi_adjust_cfa_offset 8\n"                                             \
		"	subq $8, %rsp\n"                                                     \
		".cfi_adjust_cfa_offset 8\n"                                             \
		"	call " #opens "\n"                                                   \
		"	addq $8, %rsp\n"                                                     \
		".cfi_adjust_cfa_offset -8\n"                                            \
		"	popq %rsi\n"                                                         \
		".cfi_adjust_cfa_offset -8\n"                                            \
		"	popq %rdi\n"                                                         \
		".cfi_adjust_cfa_offset -8\n"                                            \
		"	jmp *ftsan_kernel_" #name "_real(%rip)\n"                            \
		".cfi_endproc\n"                                                         \
		".size ftsan_kernel_" #name ", . - ftsan_kernel_" #name "\n")

STUB(sigsetjmp, ftsan_kernel_opens_jump);
STUB(getcontext, ftsan_kernel_opens_context);
STUB(swapcontext, ftsan_kernel_opens_context);
