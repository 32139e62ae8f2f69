#include "start/host.h"

#include <link.h>
#include <stdint.h>

#include "hooks/hooks.h"
#include "python/python.h"

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

static struct ftsan_host host;

struct ftsan_host *ftsan_start_host(void)
{
	return &host;
}

/* "3.10.13 (main, ...": what there was before 3.11; a constant, and the level is lost. */
static uint32_t version_of_text(const char *text)
{
	uint32_t part[3] = {0};

	for (unsigned i = 0; i < 3; i++, text++)
		for (; *text >= '0' && *text <= '9' && part[i] < 100; text++)
			part[i] = part[i] * 10 + (uint32_t)(*text - '0');
	return part[0] << 24 | part[1] << 16 | part[2] << 8 | 0xf0;
}

static uint32_t version_of(void *library)
{
	const unsigned long *version = ftsan_real_lookup(library, "Py_Version");
	const char *(*tell)(void);

	*(void **)&tell = version ? NULL : ftsan_real_lookup(library, "Py_GetVersion");
	return version ? (uint32_t)*version : tell ? version_of_text(tell()) : 0;
}

void ftsan_start_describe_python(void *library, const void *py_runtime)
{
	host.py_runtime = py_runtime;
	host.py_version = version_of(library);
	host.py_code_type = (uintptr_t)ftsan_real_lookup(library, "PyCode_Type");
	host.py_type_type = (uintptr_t)ftsan_real_lookup(library, "PyType_Type");
	host.py_unicode_type = (uintptr_t)ftsan_real_lookup(library, "PyUnicode_Type");
	host.py_eval = (uintptr_t)ftsan_real_lookup(library, "_PyEval_EvalFrameDefault");
	*(void **)&host.tstate_get =
		ftsan_real_lookup(library, "PyThreadState_GetUnchecked");
	if (!host.tstate_get)
		*(void **)&host.tstate_get =
			ftsan_real_lookup(library, "_PyThreadState_UncheckedGet");
	*(void **)&host.finalizing = ftsan_real_lookup(library, "Py_IsFinalizing");
	if (!host.finalizing)
		*(void **)&host.finalizing =
			ftsan_real_lookup(library, "_Py_IsFinalizing");
	*(void **)&host.tstate_gilstate =
		ftsan_real_lookup(library, "PyGILState_GetThisThreadState");
}

void ftsan_start_describe_self(void)
{
	host.iterate = dl_iterate_phdr;
	host.hook_names = ftsan_hook_names;
	host.hook_counts = ftsan_hook_counts;
	host.n_hooks = FTSAN_N_HOOKS;
	host.freed_release = ftsan_freed_release;
	host.own_begin = (uintptr_t)__ehdr_start;
	host.own_end = (uintptr_t)_end;
}
