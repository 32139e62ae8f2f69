#include "hooks/table.h"

const char *const ftsan_hook_names[] = {
#define FTSAN_HOOK(class, file, ret, name, params, args) #name,
#include "hooks/table.def"
#undef FTSAN_HOOK
};

_Atomic uint32_t ftsan_hook_counts[FTSAN_N_HOOKS];
