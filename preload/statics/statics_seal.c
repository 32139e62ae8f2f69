#include "statics/statics_seal.h"

#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "locks/python_locks.h"
#include "hooks/hooks.h"
#include "python/python.h"
#include "runtime/runtime.h"
#include "statics/choose.h"
#include "statics/statics.h"
#include "statics/waiting.h"
#include "threads/threads.h"

enum { PENDING_MAX = 256, EXTENSIONS_MAX = 2048, WAIT_NS = 1000000000 };

/* Modules that are being initialised, and all that ever were; by an address in each.
 * Guarded by the lock below. */
static uintptr_t pending[PENDING_MAX];
static uintptr_t extensions[EXTENSIONS_MAX];
static unsigned n_pending, n_extensions;
static struct ftsan_lock seal_lock;

struct object {
	const struct dl_phdr_info *info;
	uintptr_t begin, end; /* of the writable part that is not relro's */
};

static bool holds(const struct dl_phdr_info *info, uintptr_t address)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && address - begin < ph->p_memsz)
			return true;
	}
	return false;
}

static bool holds_any(const struct dl_phdr_info *info, const uintptr_t *addresses,
		      unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (holds(info, addresses[i]))
			return true;
	return false;
}

/* The interpreter, libc, the loader, and what ftsan itself has loaded. */
static bool is_never(const struct dl_phdr_info *info)
{
	static const char *const names[] = {
		"libc.so",   "libc-2",	   "libm.so",  "libpthread", "libdl.so",
		"librt.so",  "ld-linux",   "libftsan", "libunwind",  "libZydis",
		"libZycore", "linux-vdso", "libpython"};
	const struct ftsan_host *host = ftsan_runtime_host();
	const char *name = ftsan_str_base_name(info->dlpi_name);

	if (name[0] == '\0' || holds(info, (uintptr_t)host->py_runtime) ||
	    holds(info, host->own_begin))
		return true;
	return ftsan_str_begins_one(name, names, FTSAN_ARRAY_LEN(names));
}

static bool find_relro_end(const struct dl_phdr_info *info, uintptr_t *end)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_GNU_RELRO)
			continue;
		/* glibc's _dl_protect_relro() rounds both ends down. */
		*end = (info->dlpi_addr + ph->p_vaddr + ph->p_memsz) & ~(FTSAN_PAGE - 1);
		return true;
	}
	return false;
}

static bool asks_for_gil(const char *path)
{
	const char *name = ftsan_str_base_name(path);
	size_t length = strcspn(name, ".");

	for (unsigned i = 0; i < ftsan_gil_requests(); i++) {
		const char *who = ftsan_gil_request(i), *dot = strrchr(who, '.');

		who = dot == NULL ? who : dot + 1;
		if (strlen(who) == length && strncmp(who, name, length) == 0)
			return true;
	}
	return false;
}

static void seal_segment(const struct dl_phdr_info *info, const ElfW(Phdr) * ph)
{
	uintptr_t begin = (info->dlpi_addr + ph->p_vaddr) & ~(FTSAN_PAGE - 1);
	uintptr_t end = (info->dlpi_addr + ph->p_vaddr + ph->p_memsz + FTSAN_PAGE - 1) &
			~(FTSAN_PAGE - 1);
	char package[256];
	uintptr_t relro;
	struct ftsan_static_area area;

	if (find_relro_end(info, &relro) && relro > begin && relro <= end)
		begin = relro;
	ftsan_statics_package(info->dlpi_name, package, sizeof(package));
	area = (struct ftsan_static_area){
		.begin = begin,
		.end = end,
		.package = package,
		.asks_for_gil = asks_for_gil(info->dlpi_name),
	};
	if (ftsan_statics_seal(&area) == 0)
		ftsan_waiting_leave_open(begin, end);
}

static int seal_object(struct dl_phdr_info *info, size_t size, void *argument)
{
	const char *choice = ftsan_statics_choice(ftsan_preload_options());

	(void)size;
	(void)argument;
	if (is_never(info) || holds_any(info, pending, n_pending) ||
	    !ftsan_statics_wants(choice, info->dlpi_name,
				 holds_any(info, extensions, n_extensions)))
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_W))
			seal_segment(info, ph);
	}
	return 0;
}

/* The loader's lock is held by dl_iterate_phdr: nothing is unloaded meanwhile. */
void ftsan_statics_seal_all(void)
{
	if (!ftsan_statics_on() || !ftsan_lock_take(&seal_lock, WAIT_NS))
		return;
	ftsan_waiting_collect();
	(void)dl_iterate_phdr(seal_object, NULL);
	ftsan_waiting_forget();
	ftsan_lock_drop(&seal_lock);
}

static void begin(const struct ftsan_module_stage *stage)
{
	if (!ftsan_statics_on() || !ftsan_lock_take(&seal_lock, WAIT_NS))
		return;
	if (stage->kind == FTSAN_STAGE_INIT && n_pending < PENDING_MAX)
		pending[n_pending++] = stage->object;
	if (stage->kind == FTSAN_STAGE_INIT && n_extensions < EXTENSIONS_MAX)
		extensions[n_extensions++] = stage->object;
	ftsan_lock_drop(&seal_lock);
}

/* Handlers run in reverse order: ours, if it comes after the module's destructors were
 * registered, runs before them. */
static void on_exit_of_modules(int status, void *unused)
{
	(void)status;
	(void)unused;
	if (ftsan_preload_own())
		ftsan_statics_ending();
}

static void end(const struct ftsan_module_stage *stage)
{
	if (!ftsan_statics_on())
		return;
	ftsan_locks_python();
	if ((!stage->last && !stage->failed) || !ftsan_lock_take(&seal_lock, WAIT_NS))
		return;
	for (unsigned i = n_pending; i-- > 0;)
		if (pending[i] == stage->object)
			pending[i] = pending[--n_pending];
	(void)dl_iterate_phdr(seal_object, NULL);
	ftsan_lock_drop(&seal_lock);
	on_exit(on_exit_of_modules, NULL);
}

const struct ftsan_module_listener ftsan_statics_module_listener = {.begin = begin,
								    .end = end};
