/* What the engines have to know of a dlclose. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#include "elf/elf.h"
#include "runtime/runtime.h"
#include "statics/statics_seal.h"

static bool is_loaded(uintptr_t address)
{
	Dl_info info;

	return dladdr((void *)address, &info) != 0;
}

static void before_close(void)
{
	ftsan_runtime_unload_begin();
}

static void after_close(void)
{
	ftsan_runtime_unload_end(is_loaded);
}

const struct ftsan_loader_listener ftsan_statics_unload_listener = {
	.before_close = before_close, .after_close = after_close};
