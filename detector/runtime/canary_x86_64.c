#include "runtime/canary_store.h"

#include "runtime/canary.h"

__asm__(".text\n"
	".p2align 4\n"
	".globl ftsan_canary_store, ftsan_canary_end\n"
	".hidden ftsan_canary_store, ftsan_canary_end\n"
	".type ftsan_canary_store, @function\n"
	"ftsan_canary_store:\n" /* rdi = to, rsi = value */
	".cfi_startproc\n"
	"	movq %rsi, (%rdi)\n"
	"	ret\n"
	"ftsan_canary_end:\n"
	".cfi_endproc\n"
	".size ftsan_canary_store, . - ftsan_canary_store\n");

extern const char ftsan_canary_end[] __attribute__((visibility("hidden")));

uintptr_t ftsan_canary_text(uintptr_t *end)
{
	*end = (uintptr_t)ftsan_canary_end;
	return (uintptr_t)ftsan_canary_store;
}
