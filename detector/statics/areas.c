/*
 * Areas: the writable pages of a module, from the end of its import to its end; and what
 * the kernel and libc's locks ask of them.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "stacks/stacks.h"
#include "statics/store.h"

/* What the kernel writes to is sealed again after this. */
static const uint64_t KERNEL_NS = 50u * 1000 * 1000;

_Atomic uintptr_t ftsan_statics_lowest = UINTPTR_MAX, ftsan_statics_highest;

static void forget(struct static_module *module)
{
	atomic_store_explicit(&module->gone, true, memory_order_relaxed);
	for (uintptr_t at = module->begin; at < module->end; at += FTSAN_PAGE) {
		struct static_page *page = static_page_of(at);

		if (page != NULL)
			atomic_store_explicit(&page->state, STATIC_PAGE_GONE,
					      memory_order_release);
	}
}

void static_areas_forget(void)
{
	for (unsigned i = 0; i < static_modules(); i++)
		forget(static_module_at((uint16_t)i));
}

static void widen(uintptr_t begin_, uintptr_t end)
{
	if (begin_ < atomic_load_explicit(&ftsan_statics_lowest, memory_order_relaxed))
		atomic_store_explicit(&ftsan_statics_lowest, begin_,
				      memory_order_relaxed);
	if (end > atomic_load_explicit(&ftsan_statics_highest, memory_order_relaxed))
		atomic_store_explicit(&ftsan_statics_highest, end, memory_order_relaxed);
}

static bool is_sealed(const struct ftsan_static_area *area)
{
	struct static_page *page = static_page_of(area->begin);

	return page != NULL && atomic_load_explicit(&page->state, memory_order_relaxed) !=
				       STATIC_PAGE_GONE;
}

static void seal_page(uintptr_t at, uint16_t module)
{
	struct static_page *page = static_page_add(at, module);

	if (page == NULL) {
		ftsan_count(statics_pages_left_out);
		return;
	}
	ftsan_count(statics_pages);
	page->sealed_since = ftsan_sys_now_ns();
	atomic_store_explicit(&page->open_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&page->penalty, 0, memory_order_relaxed);
	atomic_store_explicit(&page->for_good, false, memory_order_relaxed);
	atomic_store_explicit(&page->kernel, 0, memory_order_relaxed);
	atomic_store_explicit(&page->state, STATIC_PAGE_SEALED, memory_order_release);
}

int ftsan_statics_seal(const struct ftsan_static_area *area)
{
	struct static_module *module;
	uint16_t index;
	size_t length;

	if (!ftsan_statics_on() || area->begin >= area->end)
		return 0;
	if (is_sealed(area))
		return -EEXIST;
	module = static_module_add(&index);
	if (module == NULL)
		return -ENOSPC;
	module->module = ftsan_module_of(area->begin);
	if (module->module == NULL)
		return -ENOENT;
	ftsan_count(statics_modules);
	module->begin = area->begin;
	module->end = area->end;
	module->asks_for_gil = area->asks_for_gil;
	module->folds = ftsan_elf_folds_atomics(module->module->path);
	length = strlen(area->package);
	/* Of a long one the end tells more. */
	if (length >= sizeof(module->package))
		length = sizeof(module->package) - 1;
	memcpy(module->package, area->package + strlen(area->package) - length,
	       length + 1);
	for (uintptr_t at = area->begin; at < area->end; at += FTSAN_PAGE)
		seal_page(at, index);
	widen(area->begin, area->end);
	/* One call for all: what was left out traps nowhere, and is opened again. */
	if (ftsan_sys_protect((void *)area->begin, area->end - area->begin, PROT_READ) !=
	    0)
		ftsan_count_add(statics_pages_left_out,
				(area->end - area->begin) / FTSAN_PAGE);
	for (uintptr_t at = area->begin; at < area->end; at += FTSAN_PAGE)
		if (static_page_of(at) == NULL)
			(void)ftsan_sys_protect((void *)at, FTSAN_PAGE,
						PROT_READ | PROT_WRITE);
	return 0;
}

const struct ftsan_module *ftsan_statics_code(uintptr_t address)
{
	/* Code lies before data; no file is larger than that. */
	const uintptr_t reach = 256ul << 20;
	unsigned n = static_modules();

	if (address >=
		    atomic_load_explicit(&ftsan_statics_highest, memory_order_relaxed) ||
	    address + reach <
		    atomic_load_explicit(&ftsan_statics_lowest, memory_order_relaxed))
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		const struct static_module *module = static_module_at((uint16_t)i);

		if (module->module != NULL && address < module->begin &&
		    address >= module->module->begin)
			return module->module;
	}
	return NULL;
}

void ftsan_statics_unload_begin(void)
{
	static_pages_freeze(true);
}

void ftsan_statics_unload_end(bool (*is_loaded)(uintptr_t address))
{
	for (unsigned i = 0; i < static_modules(); i++) {
		struct static_module *module = static_module_at((uint16_t)i);

		if (!atomic_load_explicit(&module->gone, memory_order_relaxed) &&
		    !is_loaded(module->begin))
			forget(module);
	}
	static_pages_freeze(false);
}

/* --- the kernel, and locks -------------------------------------------------------- */

static void wait_for_window(struct static_page *page)
{
	while (atomic_load(&page->state) == STATIC_PAGE_WINDOW)
		ftsan_sys_sleep(100000);
}

/* Of what a call may write to: the size is the program's, and may be any number. */
static uintptr_t end_of(uintptr_t address, size_t size_bytes)
{
	uintptr_t highest =
		atomic_load_explicit(&ftsan_statics_highest, memory_order_relaxed);

	if (address >= highest)
		return address;
	return size_bytes < highest - address ? address + size_bytes : highest;
}

void ftsan_statics_kernel_slow(struct ftsan_statics_call *call, uintptr_t address,
			       size_t size_bytes, bool writes)
{
	uintptr_t end = end_of(address, size_bytes);

	/* A program of one thread that hardly traps has nobody else to seal again. */
	static_pages_poll(ftsan_sys_now_ns());
	for (uintptr_t at = address & ~(FTSAN_PAGE - 1); at < end; at += FTSAN_PAGE) {
		struct static_page *page = static_page_of(at);

		if (page == NULL)
			continue;
		if (call->n < FTSAN_STATICS_CALL_PAGES) {
			call->pages[call->n++] = page;
			atomic_fetch_add(&page->kernel, 1);
		} else if (writes) {
			static_page_leave_open(page);
		}
		if (writes) {
			ftsan_count(statics_kernel);
			static_page_surely_open(page, KERNEL_NS);
		} else {
			wait_for_window(page);
		}
	}
}

void ftsan_statics_leave_open(uintptr_t address, size_t size_bytes)
{
	uintptr_t end = end_of(address, size_bytes);

	for (uintptr_t at = address & ~(FTSAN_PAGE - 1); at < end; at += FTSAN_PAGE) {
		struct static_page *page = static_page_of(at);

		if (page != NULL)
			static_page_leave_open(page);
	}
}

void ftsan_statics_kernel_end(struct ftsan_statics_call *call)
{
	while (call->n > 0)
		atomic_fetch_sub(&call->pages[--call->n]->kernel, 1);
}

/*
 * struct __pthread_mutex_s: __kind is the int at 16 (glibc, sysdeps/nptl/bits/
 * struct_mutex.h); PTHREAD_MUTEX_ROBUST_NORMAL_NP is 16, PTHREAD_MUTEX_PRIO_INHERIT_NP 32
 * (nptl/pthreadP.h). The kernel writes to both kinds.
 */
enum { KIND = 16, KERNEL_KINDS = 16 | 32 };

void ftsan_statics_lock_slow(uintptr_t address)
{
	struct static_page *page = static_page_of(address);
	int32_t kind;

	if (page == NULL)
		return;
	if (!atomic_exchange_explicit(&page->has_locks, true, memory_order_relaxed))
		ftsan_count(statics_lock_pages);
	wait_for_window(page);
	if (ftsan_safe_i32(address + KIND, &kind) && kind > 0 && kind < 256 &&
	    (kind & KERNEL_KINDS) != 0) {
		ftsan_count(statics_kernel);
		static_page_leave_open(page);
	}
}

/* --- the end ---------------------------------------------------------------------- */

static void protect_all(int protection)
{
	for (unsigned i = 0; i < static_modules(); i++) {
		struct static_module *module = static_module_at((uint16_t)i);

		if (!atomic_load_explicit(&module->gone, memory_order_relaxed))
			(void)ftsan_sys_protect((void *)module->begin,
						module->end - module->begin, protection);
	}
}

void static_areas_open(void)
{
	static_pages_freeze(true);
	for (unsigned i = 0; i < static_modules(); i++) {
		struct static_module *module = static_module_at((uint16_t)i);

		for (uintptr_t at = module->begin; at < module->end; at += FTSAN_PAGE) {
			struct static_page *page = static_page_of(at);
			uint8_t state = STATIC_PAGE_SEALED;

			if (page != NULL)
				(void)atomic_compare_exchange_strong(&page->state, &state,
								     STATIC_PAGE_OPEN);
		}
	}
	protect_all(PROT_READ | PROT_WRITE);
	static_pages_freeze(false);
}
