#include "base/safe_read.h"

#include <errno.h>
#include <stdatomic.h>
#include <ucontext.h>

#include "base/mem.h"

/*
 * Written in assembly so that the bounds of the code that may fault are exact.
 * 8-byte words are copied whole: a pointer read while another thread stores it is
 * the old or the new one.
 */
__asm__(".text\n"
	".p2align 4\n"
	".local ftsan_safe_copy_begin\n"
	".local ftsan_safe_copy_fail\n"
	".type ftsan_safe_copy, @function\n"
	"ftsan_safe_copy:\n" /* rdi = to, rsi = from, rdx = bytes */
	".cfi_startproc\n"
	"ftsan_safe_copy_begin:\n"
	"1:	cmpq $8, %rdx\n"
	"	jb 2f\n"
	"	movq (%rsi), %rax\n"
	"	movq %rax, (%rdi)\n"
	"	addq $8, %rsi\n"
	"	addq $8, %rdi\n"
	"	subq $8, %rdx\n"
	"	jmp 1b\n"
	"2:	testq %rdx, %rdx\n"
	"	jz 4f\n"
	"	cmpq $4, %rdx\n"
	"	jb 3f\n"
	"	movl (%rsi), %eax\n"
	"	movl %eax, (%rdi)\n"
	"	addq $4, %rsi\n"
	"	addq $4, %rdi\n"
	"	subq $4, %rdx\n"
	"	jmp 2b\n"
	"3:	movb (%rsi), %al\n"
	"	movb %al, (%rdi)\n"
	"	incq %rsi\n"
	"	incq %rdi\n"
	"	decq %rdx\n"
	"	jmp 2b\n"
	"4:	xorl %eax, %eax\n"
	"	ret\n"
	"ftsan_safe_copy_fail:\n"
	"	movl $1, %eax\n"
	"	ret\n"
	".cfi_endproc\n"
	".size ftsan_safe_copy, . - ftsan_safe_copy\n");

int ftsan_safe_copy(void *to, const void *from, size_t size_bytes)
	__attribute__((visibility("hidden")));
extern const char ftsan_safe_copy_begin[] __attribute__((visibility("hidden")));
extern const char ftsan_safe_copy_fail[] __attribute__((visibility("hidden")));

static _Atomic bool by_calls;

void ftsan_safe_read_by_calls(bool calls)
{
	atomic_store(&by_calls, calls);
}

int ftsan_safe_read(void *to, const void *from, size_t size_bytes)
{
	if (atomic_load_explicit(&by_calls, memory_order_relaxed)) {
		int error = ftsan_mem_read(to, (uintptr_t)from, size_bytes);

		/* No descriptor: then there is only the other way. */
		if (error != -EBADF)
			return error == 0 ? 0 : -EFAULT;
	}
	return ftsan_safe_copy(to, from, size_bytes) == 0 ? 0 : -EFAULT;
}

bool ftsan_safe_read_fixup(void *context)
{
	ucontext_t *uc = context;
	uintptr_t ip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	if (ip < (uintptr_t)ftsan_safe_copy_begin ||
	    ip >= (uintptr_t)ftsan_safe_copy_fail)
		return false;
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)ftsan_safe_copy_fail;
	return true;
}

bool ftsan_safe_string(char *to, size_t capacity_bytes, uintptr_t from)
{
	for (size_t i = 0; i < capacity_bytes; i++) {
		if (ftsan_safe_read(to + i, (const void *)(from + i), 1) != 0)
			return false;
		if (to[i] == '\0')
			return true;
		if (i + 1 == capacity_bytes)
			to[i] = '\0';
	}
	return capacity_bytes > 0;
}
