#include "elf/providers.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "elf/unwind_calls.h"
#include "hooks/hooks.h"

enum { REASON_MAX = 256 };

/*
 * "DIRECTORY of libftsan.so/soname"; false if that is not known or too long. The loader
 * may have been given a link, for a directory that LD_PRELOAD can't name.
 */
static bool beside_us(const char *soname, char *path)
{
	char own[PATH_MAX];
	struct ftsan_buf buf;
	const char *slash;
	Dl_info info;

	if (!dladdr((void *)ftsan_providers_open, &info) ||
	    !realpath(info.dli_fname, own))
		return false;
	slash = strrchr(own, '/');
	if (!slash)
		return false;
	ftsan_buf_init(&buf, path, PATH_MAX);
	ftsan_buf_bytes(&buf, own, (size_t)(slash + 1 - own));
	ftsan_buf_str(&buf, soname);
	ftsan_buf_char(&buf, '\0');
	return !buf.truncated;
}

/* The system's first; a wheel ships its own in libftsan's directory. */
static void *open_library(const char *soname, char *reason)
{
	char path[PATH_MAX];
	void *handle = FTSAN_REAL(dlopen)(soname, RTLD_LOCAL | RTLD_NOW);
	const char *error = handle ? NULL : dlerror();
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, reason, REASON_MAX);
	ftsan_buf_str(&buf, error ? error : "");
	ftsan_buf_cstr(&buf);
	if (!handle && beside_us(soname, path)) {
		handle = FTSAN_REAL(dlopen)(path, RTLD_LOCAL | RTLD_NOW);
		if (!handle)
			(void)dlerror();
	}
	return handle;
}

static void open_unwinder(struct ftsan_host *host)
{
	static char reason[REASON_MAX];
	static struct ftsan_stack warm;
	void *library = open_library(FTSAN_LIBUNWIND_SONAME, reason);

	host->unwinder_reason = reason;
	if (!library)
		return;
	host->unwinder = ftsan_libunwind_init(
		ftsan_real_lookup(library, FTSAN_UNWIND "init_local2"),
		ftsan_real_lookup(library, FTSAN_UNWIND "step"),
		ftsan_real_lookup(library, FTSAN_UNWIND "get_reg"));
	if (!host->unwinder) {
		host->unwinder_reason =
			FTSAN_LIBUNWIND_SONAME " lacks " FTSAN_UNWIND "init_local2, "
					       "_step or _get_reg";
		return;
	}
	ftsan_unwind_calls_replace(
		ftsan_real_lookup(library, FTSAN_UNWIND "step"),
		&(struct ftsan_unwind_libc){.sigprocmask = FTSAN_REAL(sigprocmask),
					    .write = FTSAN_REAL(write)});
	ftsan_stack_set_unwinder(host->unwinder);
	ftsan_stack_capture_here(&warm);
}

static void open_zydis(struct ftsan_host *host)
{
	static char reason[REASON_MAX];
	void *library = open_library(FTSAN_ZYDIS_SONAME, reason);

	host->zydis_reason = reason;
	if (!library)
		return;
	host->zydis_init = ftsan_real_lookup(library, "ZydisDecoderInit");
	host->zydis_decode = ftsan_real_lookup(library, "ZydisDecoderDecodeFull");
	if (!host->zydis_init || !host->zydis_decode)
		host->zydis_reason = FTSAN_ZYDIS_SONAME " lacks ZydisDecoderInit or "
							"ZydisDecoderDecodeFull";
}

void ftsan_providers_open(struct ftsan_host *host)
{
	open_unwinder(host);
	open_zydis(host);
}
