#include "stacks/stack_guard.h"

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "base/base.h"
#include "stacks/stack.h"

/* Registers at the entry of ftsan_escape_call(), in the order of its stores. */
struct escape {
	uint64_t rbx, rbp, r12, r13, r14, r15, rsp;
};

/* Not sigsetjmp(): glibc's saves the mask by a system call, and longjmp() out of a
 * handler would skip the kernel's own return from it. */
__asm__(".text\n"
	".p2align 4\n"
	".type ftsan_escape_call, @function\n"
	"ftsan_escape_call:\n" /* rdi = fn, rsi = argument, rdx = struct escape */
	".cfi_startproc\n"
	"	movq %rbx, 0(%rdx)\n"
	"	movq %rbp, 8(%rdx)\n"
	"	movq %r12, 16(%rdx)\n"
	"	movq %r13, 24(%rdx)\n"
	"	movq %r14, 32(%rdx)\n"
	"	movq %r15, 40(%rdx)\n"
	"	movq %rsp, 48(%rdx)\n"
	"	movq %rdi, %rax\n"
	"	movq %rsi, %rdi\n"
	"	subq $8, %rsp\n"
	".cfi_adjust_cfa_offset 8\n"
	"	call *%rax\n"
	"	addq $8, %rsp\n"
	".cfi_adjust_cfa_offset -8\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".local ftsan_escape_landing\n"
	"ftsan_escape_landing:\n"
	"	movl $1, %eax\n"
	"	ret\n"
	".cfi_endproc\n"
	".size ftsan_escape_call, . - ftsan_escape_call\n");

int ftsan_escape_call(void (*fn)(void *), void *argument, struct escape *escape)
	__attribute__((visibility("hidden")));
extern const char ftsan_escape_landing[] __attribute__((visibility("hidden")));

/* The way out of the call in progress; this thread and its handlers only. */
static FTSAN_TLS struct escape *volatile way_out;

/* Written at start-up. */
static void (*escaped)(void);

void ftsan_stack_on_escape(void (*release)(void))
{
	escaped = release;
}

bool ftsan_guarded_call(void (*fn)(void *), void *argument)
{
	struct escape escape;
	int faulted;

	if (way_out != NULL)
		return false;
	way_out = &escape;
	faulted = ftsan_escape_call(fn, argument, &escape);
	way_out = NULL;
	if (faulted != 0 && escaped != NULL)
		escaped();
	return faulted == 0;
}

bool ftsan_stack_fixup(void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	const struct escape *escape = way_out;

	if (escape == NULL)
		return false;
	way_out = NULL;
	g[REG_RBX] = (greg_t)escape->rbx;
	g[REG_RBP] = (greg_t)escape->rbp;
	g[REG_R12] = (greg_t)escape->r12;
	g[REG_R13] = (greg_t)escape->r13;
	g[REG_R14] = (greg_t)escape->r14;
	g[REG_R15] = (greg_t)escape->r15;
	g[REG_RSP] = (greg_t)escape->rsp;
	g[REG_RIP] = (greg_t)(uintptr_t)ftsan_escape_landing;
	return true;
}
