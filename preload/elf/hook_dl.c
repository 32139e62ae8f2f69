#include "elf/hook_dl.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "elf/dl_search.h"
#include "elf/got.h"
#include "elf/loader_listen.h"
#include "hooks/hooks.h"
#include "runtime/runtime.h"

_Static_assert((int)FTSAN_N_HOOKS <= (int)FTSAN_GOT_MAX, "one bit a hook");

/*
 * Held around the loader's own work as well as around ours: an object must not be
 * touched while another thread's dlopen relocates it, because both change the
 * protection of its relro pages. The loader takes a recursive lock of its own for the
 * whole of dlopen and dlclose, so this one adds an order (ours, then the loader's) but
 * no exclusion that is not there already. Where libc itself loads an object whose
 * constructor calls dlopen, the order is the other way round: hence the bound.
 */
static struct ftsan_lock loader_lock;
enum { LOADER_WAIT_NS = 2000000000 };

/* Guarded by loader_lock. */
static struct ftsan_got_hook table[FTSAN_N_HOOKS];
static struct ftsan_got got = {
	.hooks = table,
	.n_hooks = FTSAN_N_HOOKS,
	.counts = ftsan_hook_counts,
};

/* After a detach, while there are buffers of ours. */
static bool draining;
enum { ATTACH_LOOKS = 200, ATTACH_PAUSE_NS = 10000000 };

/* Set by the start-up, before anything is redirected. */
static const struct ftsan_dl_host *host;
/* Opened before that, by a constructor that came before ours. */
static void *opened_early;

void ftsan_dl_init(const struct ftsan_dl_host *provided)
{
	host = provided;
	if (opened_early)
		host->opened(opened_early);
}

/* Nobody is told of what comes before ftsan_dl_init(). */
#define TELL(what)                                                                       \
	for (const struct ftsan_loader_listener *const *at = host ? host->listeners      \
								  : NULL;                \
	     at && *at; at++)                                                            \
		if ((*at)->what)                                                         \
	(*at)->what()

static void fill_table(void)
{
	for (unsigned i = 0; i < FTSAN_N_HOOKS; i++)
		table[i] = (struct ftsan_got_hook){
			.name = ftsan_hook_names[i],
			.original = ftsan_real_address(i),
			.replacement = host->wrappers[i].wrapper,
			.exported = host->wrappers[i].exported,
		};
}

void ftsan_dl_start(void)
{
	bool locked = ftsan_lock_take(&loader_lock, LOADER_WAIT_NS);

	TELL(start);
	fill_table();
	if (!locked)
		return;
	ftsan_got_update(&got);
	TELL(update);
	ftsan_lock_drop(&loader_lock);
}

/* What has to know buffers of ours as long as there are any. */
static uint64_t hooks_of_buffers(void)
{
	return 1ull << FTSAN_HOOK_dlopen | 1ull << FTSAN_HOOK_dlclose |
	       1ull << FTSAN_HOOK_PyMem_RawRealloc | 1ull << FTSAN_HOOK_PyMem_RawFree |
	       1ull << FTSAN_HOOK_PyMem_Realloc | 1ull << FTSAN_HOOK_PyMem_Free;
}

int ftsan_dl_start_attached(void)
{
	if (!ftsan_lock_take(&loader_lock, LOADER_WAIT_NS))
		return -EBUSY;
	TELL(start);
	fill_table();
	got.attached = true;
	for (unsigned i = 0; i < ATTACH_LOOKS; i++) {
		ftsan_got_forget(&got);
		ftsan_got_update(&got);
		if (got.busy == 0)
			break;
		ftsan_sys_sleep(ATTACH_PAUSE_NS);
	}
	/* From here on every dlopen is one of ours, but for those that wait just now. */
	got.attached = false;
	draining = false;
	TELL(update);
	ftsan_lock_drop(&loader_lock);
	return got.busy == 0 ? 0 : -EBUSY;
}

bool ftsan_dl_is_free(void)
{
	if (!ftsan_lock_take(&loader_lock, LOADER_WAIT_NS))
		return false;
	ftsan_lock_drop(&loader_lock);
	return true;
}

int ftsan_dl_stop(bool buffers)
{
	uint64_t keep = buffers ? hooks_of_buffers() : 0;

	if (!ftsan_lock_take(&loader_lock, LOADER_WAIT_NS))
		return -EBUSY;
	ftsan_got_restore(&got, keep);
	TELL(stop);
	for (unsigned i = 0; i < FTSAN_N_HOOKS; i++)
		if (!(keep >> i & 1))
			table[i].original = 0;
	draining = buffers;
	ftsan_lock_drop(&loader_lock);
	return 0;
}

void ftsan_dl_fork_child(uint32_t parent_tid)
{
	ftsan_lock_fork_child(&loader_lock, parent_tid);
}

/* After the loader's work; @locked: without the lock, the next call will see to it. */
static void objects_changed(void *opened, bool locked)
{
	int error = errno;

	if (!ftsan_preload_active()) {
		if (locked && draining)
			ftsan_got_update(&got);
		else if (host && opened)
			host->opened(opened);
		else if (opened)
			opened_early = opened;
	} else if (locked && ftsan_got_update(&got)) {
		TELL(update);
		ftsan_runtime_modules_changed();
	}
	errno = error;
}

/*
 * What is loaded already is found by its soname, wherever it came from, before any
 * directory is searched; RTLD_NOLOAD asks for just that.
 */
static void *open_for(const void *caller, const char *file, int mode)
{
	char path[PATH_MAX];
	int error = errno;
	void *handle = NULL;

	if (!ftsan_dl_search(caller, file, path)) {
		errno = error;
		return FTSAN_REAL(dlopen)(file, mode);
	}
	if (!strchr(file, '/'))
		handle = FTSAN_REAL(dlopen)(file, mode | RTLD_NOLOAD);
	errno = error;
	return handle ? handle : FTSAN_REAL(dlopen)(path, mode);
}

void *ftsan_hook_dlopen(const char *file, int mode)
{
	const void *caller = __builtin_return_address(0);
	bool locked;
	void *handle;

	if (!file)
		return FTSAN_REAL(dlopen)(file, mode);
	locked = ftsan_lock_take(&loader_lock, LOADER_WAIT_NS);
	handle = open_for(caller, file, mode);
	if (handle)
		objects_changed(handle, locked);
	if (locked)
		ftsan_lock_drop(&loader_lock);
	return handle;
}

int ftsan_hook_dlclose(void *handle)
{
	bool locked = ftsan_lock_take(&loader_lock, LOADER_WAIT_NS);
	int result;

	TELL(before_close);
	result = FTSAN_REAL(dlclose)(handle);
	TELL(after_close);
	objects_changed(NULL, locked);
	if (locked)
		ftsan_lock_drop(&loader_lock);
	return result;
}
