/*
 * The exported LIBC names: one jump each, to the wrapper.
 *
 * A jump and not a C function, because dlopen's behaviour depends on its caller's
 * address; and not an alias, because libc's own declarations of these names
 * (attributes, restrict, noreturn) would have to match ours.
 */
#define EXPORT_LIBC(name)                                                                \
	__asm__(".text\n"                                                                \
		".p2align 4\n"                                                           \
		".globl " #name "\n"                                                     \
		".type " #name ", @function\n" #name ":\n"                               \
		".cfi_startproc\n"                                                       \
		"	endbr64\n"                                                             \
		"	jmp ftsan_hook_" #name "\n"                                      \
		".cfi_endproc\n"                                                         \
		".size " #name ", . - " #name "\n");
#define EXPORT_PYTHON(name)

#define FTSAN_HOOK(class, file, ret, name, params, args) EXPORT_##class(name)
#include "hooks/table.def"
#undef FTSAN_HOOK
