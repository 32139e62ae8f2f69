#include <stddef.h>

#include "hooks/hooks.h"
#include "start/listeners.h"

#define DEFINE_LIBC(ret, name, params, args)
#define DEFINE_PYTHON(ret, name, params, args)                                           \
	ret ftsan_hook_##name params                                                     \
	{                                                                                \
		return ftsan_real.name args;                                             \
	}

#define FTSAN_HOOK(class, file, ret, name, params, args)                                 \
	DEFINE_##class(ret, name, params, args)
#include "hooks/table.def"
#undef FTSAN_HOOK

/* Nobody listens: there is nothing but wrappers here. */
const struct ftsan_loader_listener *const *ftsan_start_listeners(void)
{
	static const struct ftsan_loader_listener *const nobody[] = {NULL};

	return nobody;
}
