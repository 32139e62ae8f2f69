/* What the engine has to know of a dlclose. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#include "elf/elf.h"
#include "statics/statics_seal.h"
#include "statics/statics.h"

static bool is_loaded(uintptr_t address)
{
	Dl_info info;

	return dladdr((void *)address, &info) != 0;
}

static void before_close(void)
{
	ftsan_statics_unload_begin();
}

static void after_close(void)
{
	ftsan_statics_unload_end(is_loaded);
}

const struct ftsan_loader_listener ftsan_statics_unload_listener = {
	.before_close = before_close, .after_close = after_close};
