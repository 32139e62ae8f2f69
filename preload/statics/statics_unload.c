#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#include "statics/statics.h"
#include "statics/statics_seal.h"

static bool is_loaded(uintptr_t address)
{
	Dl_info info;

	return dladdr((void *)address, &info) != 0;
}

void ftsan_statics_before_dlclose(void)
{
	ftsan_statics_unload_begin();
}

void ftsan_statics_after_dlclose(void)
{
	ftsan_statics_unload_end(is_loaded);
}
