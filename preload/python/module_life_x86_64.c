#include "python/module_stubs.h"

/*
 * PyInit_x() has no argument, an exec slot one, a create slot two, so the third one's
 * register is free for the number. All of them leave by a jump, and nothing returns into
 * them.
 */
#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)
__asm__(".text\n"
	".p2align 4\n"
	".globl ftsan_module_stubs\n"
	".hidden ftsan_module_stubs\n"
	".type ftsan_module_stubs, @function\n"
	"ftsan_module_stubs:\n"
	".cfi_startproc\n"
	".set number, 0\n"
	".rept " TEXT_OF(
		FTSAN_MODULE_STUBS) "\n"
				    ".p2align 4\n"
				    "	endbr64\n"
				    "	movl $number, %edx\n"
				    "	jmp ftsan_module_enter\n"
				    ".set number, number + 1\n"
				    ".endr\n"
				    ".p2align 4\n"
				    ".cfi_endproc\n"
				    ".size ftsan_module_stubs, . - ftsan_module_stubs\n");
