#include "start/wrappers.h"

#include <stdint.h>

#include "hooks/hooks.h"

/* The exported symbols, by an assembler's name: libc declares them, too. */
#define EXPORTED_LIBC(name) extern const char exported_##name[] __asm__(#name);
#define EXPORTED_PYTHON(name)
#define FTSAN_HOOK(class, file, ret, name, params, args) EXPORTED_##class(name)
#include "hooks/table.def"
#undef FTSAN_HOOK

/* At run time: as constant data it would cost each process relocations. */
const struct ftsan_wrapper *ftsan_start_wrappers(void)
{
	static struct ftsan_wrapper table[FTSAN_N_HOOKS];
	unsigned i = 0;

#define ADDRESS_LIBC(name) ((uintptr_t)exported_##name)
#define ADDRESS_PYTHON(name) 0
#define FTSAN_HOOK(class, file, ret, name, params, args)                                 \
	table[i++] = (struct ftsan_wrapper){(uintptr_t)ftsan_hook_##name,                \
					    ADDRESS_##class(name)};
#include "hooks/table.def"
#undef FTSAN_HOOK
	return table;
}
